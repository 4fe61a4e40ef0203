/** Servers that answer what a test tells them to, in a simulated world. They keep no tree: for what is wrong on purpose. */
import { asBuffer } from '../../../../base/index.ts'
import type { Connection, Runtime } from '../../../../runtime/index.ts'
import { createSimulation, type Simulation } from '../../../../runtime/simulation/index.ts'
import {
  connectResponse,
  defaultFrameBytesMax,
  errorCodes,
  FrameReader,
  frame,
  type ReceivedRequest,
  readRequest,
  writeReply,
} from '../../../../wire/zookeeper/index.ts'
import type { Driver } from '../../../driver/index.ts'
import { openZooKeeperDriver, type ZooKeeperDriverOptions } from '../index.ts'

/** What to do with a request; undefined: what a server without any node would. */
export type Script = (request: ReceivedRequest, connection: Connection) => 'done' | undefined

export interface ScriptedServerOptions {
  /** Instead of a handshake. */
  readonly greet?: ((connection: Connection) => void) | undefined
  readonly script?: Script | undefined
}

export const serverAddress = { host: 'server', port: 2181 }
const sessionTimeoutMs = 6_000

export class ScriptedWorld {
  readonly simulation: Simulation
  readonly client: Runtime
  /** Handshakes that were answered. */
  greetings = 0
  options: ScriptedServerOptions = {}

  private constructor(simulation: Simulation) {
    this.simulation = simulation
    this.client = simulation.createNode('client').runtime
  }

  static async start(options: ScriptedServerOptions, seed: string): Promise<ScriptedWorld> {
    const world = new ScriptedWorld(createSimulation({ seed }))
    world.options = options
    const server = world.simulation.createNode('server').runtime
    const address = { host: '0.0.0.0', port: serverAddress.port }
    await world.run(server.network.listen(address, (connection) => world.#serve(connection)))
    return world
  }

  open(options: Partial<ZooKeeperDriverOptions> = {}): Promise<Driver> {
    return this.run(openZooKeeperDriver({ servers: [serverAddress], ...options }, this.client))
  }

  /** Lets the world's time pass until `work` is done. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const mark = (): void => {
      isDone = true
    }
    work.then(mark, mark)
    await this.simulation.run({ until: () => isDone, untilMs: this.simulation.nowMs + 600_000 })
    if (!isDone) throw new Error('it comes to no end')
    return work
  }

  #serve(connection: Connection): void {
    let isGreeted = false
    const frames = new FrameReader(defaultFrameBytesMax, (bytes) => {
      if (isGreeted) return this.#answer(connection, readRequest(bytes))
      isGreeted = true
      this.#greet(connection)
    })
    connection.setHandler({ onData: (bytes) => frames.push(asBuffer(bytes)), onClose() {} })
  }

  #greet(connection: Connection): void {
    if (this.options.greet !== undefined) return this.options.greet(connection)
    this.greetings++
    const hello = { protocolVersion: 0, timeOut: sessionTimeoutMs, sessionId: 7n, passwd: new Uint8Array(16) }
    connection.write(frame((writer) => connectResponse.write(writer, { ...hello, readOnly: false })))
  }

  #answer(connection: Connection, request: ReceivedRequest): void {
    if (this.options.script?.(request, connection) === 'done') return
    switch (request.op) {
      case 'create':
        return reply(connection, request, errorCodes.nodeExists)
      case 'sync':
        return reply(connection, request, 0, { path: '/synod' })
      case 'exists':
        return reply(connection, request, 0, { stat: emptyStat })
      case 'ping':
      case 'closeSession':
        return reply(connection, request, 0, {})
      default:
        return reply(connection, request, errorCodes.noNode)
    }
  }
}

const emptyStat = {
  czxid: 1n,
  mzxid: 1n,
  ctime: 0n,
  mtime: 0n,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  dataLength: 0,
  numChildren: 0,
  pzxid: 1n,
}

export function reply(
  connection: Connection,
  { xid, op }: ReceivedRequest,
  err: number,
  body?: object,
  zxid = 5n,
): void {
  connection.write(frame((writer) => writeReply(writer, { xid, zxid, err }, op, body as never)))
}
