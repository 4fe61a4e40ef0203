/**
 * The network between simulated nodes. A node's name is its host name; 127.0.0.1, localhost and ::1 are the node
 * itself. {@link NetworkFabric} is shared by all nodes; {@link SimulatedNetwork} is what one life of a node sees of it.
 */
import { type Address, type Connection, ListenError, type Listener, type Network } from '../index.ts'
import { SimulatedConnection } from './connection.ts'
import type { Incarnation, Kernel } from './kernel.ts'
import { Links } from './links.ts'
import { Route } from './route.ts'

const loopbackHosts = new Set(['127.0.0.1', 'localhost', '::1'])
const wildcardHosts = new Set(['0.0.0.0', '::'])
const connectTimeoutMsDefault = 10_000
const ephemeralPortMin = 49_152
const ephemeralPortMax = 65_535

interface ListenerEntry {
  readonly incarnation: Incarnation
  readonly loopbackOnly: boolean
  readonly onConnection: (connection: Connection) => void
}

export class NetworkFabric {
  readonly kernel: Kernel
  readonly links: Links
  private readonly nodeNames = new Set<string>()
  private readonly listeners = new Map<string, ListenerEntry>()
  private readonly connections = new Map<Incarnation, Set<SimulatedConnection>>()
  /** By either end that is still open, which one suffices to keep it. */
  private readonly routes = new Map<SimulatedConnection, Route>()
  private nextEphemeralPort = ephemeralPortMin

  constructor(kernel: Kernel) {
    this.kernel = kernel
    this.links = new Links(kernel)
  }

  addNode(name: string): void {
    this.nodeNames.add(name)
  }

  listen(incarnation: Incarnation, address: Address, onConnection: (connection: Connection) => void): Listener {
    const { host } = address
    const local = host === incarnation.nodeName || loopbackHosts.has(host) || wildcardHosts.has(host)
    const where = `cannot listen on ${host}:${address.port}`
    if (!local) {
      const message = `${where}: this machine has no such address: use ${incarnation.nodeName} or 127.0.0.1.`
      throw new ListenError('ADDRESS_NOT_AVAILABLE', message)
    }
    const port = address.port === 0 ? this.freePort(incarnation.nodeName) : address.port
    const key = listenerKey(incarnation.nodeName, port)
    if (this.listeners.has(key)) {
      const message = `${where}: another process listens there: stop it, or choose another port.`
      throw new ListenError('ADDRESS_IN_USE', message)
    }
    const entry = { incarnation, loopbackOnly: loopbackHosts.has(host), onConnection }
    this.listeners.set(key, entry)
    return {
      address: { host, port },
      close: async () => {
        if (this.listeners.get(key) === entry) this.listeners.delete(key)
      },
    }
  }

  connect(incarnation: Incarnation, address: Address, timeoutMs: number): Connection {
    const from = incarnation.nodeName
    const to = loopbackHosts.has(address.host) ? from : address.host
    const client = this.newEnd(incarnation, `${address.host}:${address.port}`, 'connecting')
    if (!incarnation.alive) return client
    if (!this.nodeNames.has(to)) {
      client.failConnecting(this.links.get(from, from).transitMs())
      return client
    }
    const viaLoopback = to === from && address.host !== from
    const route = new Route(this.links.get(from, to), this.links.get(to, from), client, (made) =>
      this.accept(client, made, from, listenerKey(to, address.port), viaLoopback),
    )
    this.routes.set(client, route)
    client.attach(route.forward)
    client.startConnecting(timeoutMs)
    return client
  }

  /** Breaks all connections between two nodes. */
  reset(a: string, b: string, untold: string | undefined): void {
    for (const route of [...this.routes.values()]) {
      if (route.joins(a, b)) route.break(untold)
    }
  }

  /** Ends all that a life of a node has open. */
  die(incarnation: Incarnation, how: 'power-loss' | 'process-death'): void {
    for (const connection of this.connections.get(incarnation) ?? []) {
      connection.die(how)
      this.routes.delete(connection)
    }
    this.connections.delete(incarnation)
    for (const [key, entry] of [...this.listeners]) {
      if (entry.incarnation === incarnation) this.listeners.delete(key)
    }
  }

  private accept(
    client: SimulatedConnection,
    route: Route,
    from: string,
    key: string,
    viaLoopback: boolean,
  ): SimulatedConnection | undefined {
    const entry = this.listeners.get(key)
    if (entry === undefined || (entry.loopbackOnly && !viaLoopback)) {
      route.backward.send({ kind: 'reset' })
      return undefined
    }
    const server = this.newEnd(entry.incarnation, `${from}:${this.ephemeralPort()}`, 'open')
    this.routes.set(server, route)
    server.attach(route.backward)
    server.meet(client)
    client.meet(server)
    route.backward.send({ kind: 'accept' })
    const makeKnown = (): void => {
      entry.onConnection(server)
      if (!server.hasHandler) server.destroy()
    }
    if (entry.incarnation.gate.isOpen) makeKnown()
    else this.kernel.push(entry.incarnation, 0, 'accept', makeKnown)
    return server
  }

  private newEnd(incarnation: Incarnation, remoteAddress: string, state: 'connecting' | 'open'): SimulatedConnection {
    const open = this.connections.get(incarnation) ?? new Set()
    this.connections.set(incarnation, open)
    const connection = new SimulatedConnection(
      {
        kernel: this.kernel,
        incarnation,
        remoteAddress,
        onGone: (gone) => {
          open.delete(gone)
          this.routes.delete(gone)
        },
      },
      state,
    )
    open.add(connection)
    return connection
  }

  private freePort(nodeName: string): number {
    let port = this.ephemeralPort()
    while (this.listeners.has(listenerKey(nodeName, port))) port = this.ephemeralPort()
    return port
  }

  private ephemeralPort(): number {
    const port = this.nextEphemeralPort
    this.nextEphemeralPort = port === ephemeralPortMax ? ephemeralPortMin : port + 1
    return port
  }
}

export class SimulatedNetwork implements Network {
  private readonly fabric: NetworkFabric
  private readonly incarnation: Incarnation

  constructor(fabric: NetworkFabric, incarnation: Incarnation) {
    this.fabric = fabric
    this.incarnation = incarnation
  }

  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    return new Promise((resolve, reject) => {
      if (!this.incarnation.alive) return
      this.fabric.kernel.push(this.incarnation, 0, 'listen', () => {
        try {
          resolve(this.fabric.listen(this.incarnation, address, onConnection))
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  connect(address: Address, options?: { timeoutMs?: number }): Connection {
    return this.fabric.connect(this.incarnation, address, options?.timeoutMs ?? connectTimeoutMsDefault)
  }
}

function listenerKey(nodeName: string, port: number): string {
  return `${nodeName}:${port}`
}
