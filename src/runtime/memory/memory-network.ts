/**
 * Byte streams between the parts of one process, by host names that exist nowhere else: the nodes of an embedded cluster
 * talk over it, and no socket is opened.
 */
import {
  type Address,
  type CloseReason,
  type Connection,
  ListenError,
  type Listener,
  type Network,
  type Scheduler,
} from '../index.ts'
import { MemoryConnection } from './memory-connection.ts'

const firstEphemeralPort = 49_152

export class MemoryNetwork implements Network {
  private readonly scheduler: Scheduler
  private readonly hosts: ReadonlySet<string>
  private readonly listeners = new Map<string, (connection: Connection) => void>()
  private nextPort = firstEphemeralPort

  /** Only `hosts` can be listened at. */
  constructor(scheduler: Scheduler, hosts: readonly string[]) {
    this.scheduler = scheduler
    this.hosts = new Set(hosts)
  }

  async listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    const { host } = address
    if (!this.hosts.has(host)) throw new ListenError('ADDRESS_NOT_AVAILABLE', `${host} is not a host of this network`)
    const port = address.port === 0 ? this.freePort(host) : address.port
    const key = `${host}:${port}`
    if (this.listeners.has(key)) throw new ListenError('ADDRESS_IN_USE', `something listens at ${key} already`)
    this.listeners.set(key, onConnection)
    return {
      address: { host, port },
      close: async () => {
        if (this.listeners.get(key) === onConnection) this.listeners.delete(key)
      },
    }
  }

  connect(address: Address): Connection {
    const client = new MemoryConnection(this.scheduler, `${address.host}:${address.port}`, 'connecting')
    this.scheduler.endOfTurn(() => this.arrive(client, address))
    return client
  }

  private arrive(client: MemoryConnection, { host, port }: Address): void {
    if (client.isClosed) return
    const onConnection = this.listeners.get(`${host}:${port}`)
    if (onConnection === undefined) {
      const reason: CloseReason = this.hosts.has(host) ? 'refused' : 'unreachable'
      client.close(reason)
      return
    }
    const server = new MemoryConnection(this.scheduler, 'this process', 'open')
    server.meet(client)
    onConnection(server)
    client.established(server)
    if (!server.hasHandler) server.destroy()
  }

  private freePort(host: string): number {
    while (this.listeners.has(`${host}:${this.nextPort}`)) this.nextPort++
    return this.nextPort++
  }
}
