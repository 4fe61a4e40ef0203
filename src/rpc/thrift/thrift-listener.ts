/** A Thrift server on one port: accepted connections in, calls out. */
import type { Address, Listener } from '../../runtime/index.ts'
import type { Method } from '../service/index.ts'
import type { ListeningTransport, ServerTransportInit } from '../transport/index.ts'
import type { ThriftProtocolName } from './protocols.ts'
import { ServedConnection } from './served-connection.ts'
import type { ThriftService } from './thrift-service.ts'

/** A method as one protocol reads it. */
export interface ServedMethod {
  readonly service: ThriftService
  readonly method: Method
  /** As the interface declares it. */
  readonly isOneway: boolean
}

const drainLookMs = 20

export class ThriftListener implements ListeningTransport {
  readonly init: ServerTransportInit
  address: Address
  isClosing = false
  private readonly services: readonly ThriftService[]
  private readonly connections = new Set<ServedConnection>()
  private listener: Listener | undefined = undefined

  constructor(init: ServerTransportInit) {
    this.init = init
    this.address = init.address
    this.services = init.services.map((service) => {
      if ('served' in service) return service as ThriftService
      throw new TypeError(`${service.name} is no Thrift service: make it with thriftService()`)
    })
  }

  async listen(): Promise<this> {
    this.listener = await this.init.outside.network.listen(this.init.address, (connection) => {
      if (this.isClosing || this.connections.size >= this.init.limits.connectionsMax) return connection.destroy()
      const served = new ServedConnection(this, connection)
      this.connections.add(served)
      connection.setHandler(served)
    })
    this.address = this.listener.address
    return this
  }

  async close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    const { clock, scheduler } = this.init.outside
    this.isClosing = true
    await this.listener?.close()
    const endMs = clock.monotonicMs() + drainMs
    for (const connection of [...this.connections]) connection.closeWhenIdle()
    while (this.connections.size > 0 && clock.monotonicMs() < endMs)
      await new Promise<void>((resolve) => scheduler.setTimer(drainLookMs, resolve))
    for (const connection of [...this.connections]) connection.destroy()
  }

  // What follows is for connections.

  /** Finds `name`, which is a method, or a service and a method with a colon between them. */
  find(name: string, protocol: ThriftProtocolName): ServedMethod | undefined {
    const colon = name.indexOf(':')
    const [serviceName, methodName] = colon === -1 ? [undefined, name] : [name.slice(0, colon), name.slice(colon + 1)]
    for (const service of this.services) {
      if (serviceName !== undefined && service.name !== serviceName) continue
      const method = service.served[protocol].get(methodName)
      if (method !== undefined) return { service, method, isOneway: service.oneway.has(methodName) }
    }
    return undefined
  }

  closed(connection: ServedConnection): void {
    this.connections.delete(connection)
  }
}
