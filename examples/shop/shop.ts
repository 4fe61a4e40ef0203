/** The shop as its owner runs it: which processes there are, and how they come and go. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ShopProcess, startNode, startProxy, startService } from './processes.ts'

/** How long the registry lists an instance whose process died, at most. Milliseconds. */
const ttlMs = 2_000

export class Shop {
  /** Where the registry is. */
  connection = ''
  /** The proxy's public address. */
  address = ''
  private readonly configFile: string
  private readonly registry: (connection: string) => string
  /** Of a registry of its own. */
  private node: ShopProcess | undefined
  private proxy: ShopProcess | undefined
  private readonly services = new Map<string, ShopProcess>()

  /** `folder` takes the proxy's configuration; keys are under `namespace`. */
  constructor(folder: string, namespace: string) {
    this.configFile = join(folder, 'proxy.yaml')
    this.registry = (connection) => `${connection}?namespace=${encodeURIComponent(namespace)}&ttlMs=${ttlMs}`
  }

  /** On the engine of `connection`; undefined: on a node of its own. */
  async open(connection: string | undefined): Promise<void> {
    this.connection = connection ?? (await this.openNode())
    await Promise.all([
      this.add('catalog-1', 'catalog'),
      this.add('catalog-2', 'catalog', 'catalog-canary', 'canary'),
      ...['payments-1', 'payments-2'].map((id) => this.add(id, 'payments')),
      ...['orders-1', 'orders-2'].map((id) => this.add(id, 'orders')),
    ])
    const shipped = readFileSync(join(import.meta.dirname, 'proxy.yaml'), 'utf8')
    writeFileSync(this.configFile, shipped.replace(/^registry: .*$/m, `registry: ${this.registry(this.connection)}`))
    this.proxy = await startProxy(this.configFile)
    const [listener] = this.proxy.told['listeners'] as [{ host: string; port: number }]
    this.address = `${listener.host}:${listener.port}`
  }

  /** Starts an instance, which registers itself. */
  async add(id: string, service: string, ...more: readonly string[]): Promise<void> {
    this.services.set(id, await startService(service, [this.registry(this.connection), id, ...more]))
  }

  /** Nobody is told. */
  async kill(id: string): Promise<void> {
    await this.services.get(id)?.end('SIGKILL')
    this.services.delete(id)
  }

  /** Changes the proxy's configuration. The proxy watches the file. */
  configure(change: (text: string) => string): void {
    writeFileSync(this.configFile, change(readFileSync(this.configFile, 'utf8')))
  }

  /** In good order: first who calls, then who is called. */
  async close(): Promise<void> {
    await this.proxy?.end('SIGTERM')
    await Promise.all([...this.services.values()].map((service) => service.end('SIGTERM')))
  }

  async closeRegistry(): Promise<void> {
    await this.node?.end('SIGTERM')
  }

  private async openNode(): Promise<string> {
    this.node = await startNode()
    return `synod://${new URL(String(this.node.told['endpoint'])).host}`
  }
}
