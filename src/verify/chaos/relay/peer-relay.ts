/**
 * Stands before one node's peer port and passes connections on to it. All nodes dial the same address, as all must be
 * started with the same `--initial-cluster`; who dials is learnt from the greeting that begins each connection:
 *
 *     hello = "SYNODP" version:u16 cluster:u64 from:u64 …      (little-endian; engine/transport/frames.ts)
 *
 * What does not begin so (a node that asks to join) is passed on as from an unknown sender, which no rule touches.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Direction, LinkRule } from './link-rule.ts'
import { RelayFlow } from './relay-flow.ts'

const magic = Buffer.from('SYNODP')
const fromOffset = 16
/** So many bytes tell the sender. */
const greetingBytes = fromOffset + 8
/** A dialler that has said less by then is passed on as it is, in milliseconds. */
const greetingTimeoutMs = 300

export interface PeerRelayOptions {
  /** The node behind it. */
  readonly to: string
  readonly targetPort: number
  /** The node with this member id (hexadecimal), or undefined when none is known. */
  readonly nameOf: (memberId: string) => string | undefined
  readonly rule: (direction: Direction) => LinkRule
  readonly draw: () => number
}

/** One connection through a relay. `forward` carries the dialler's bytes, `back` the answers. */
interface RelayedConnection {
  readonly from: string
  readonly dialler: Socket
  onward: Socket | undefined
  flows: readonly RelayFlow[]
  /** What the dialler said first. */
  readonly greeting: Buffer
}

export class PeerRelay {
  private readonly options: PeerRelayOptions
  private readonly server: Server
  private readonly connections = new Set<RelayedConnection>()
  /** Diallers that have not said who they are. */
  private readonly strangers = new Set<Socket>()

  constructor(options: PeerRelayOptions) {
    this.options = options
    this.server = createServer({ noDelay: true }, (dialler) => this.accept(dialler))
  }

  /** Listens on `port` of the loopback address. */
  listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject)
      this.server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
        this.server.off('error', reject)
        resolve()
      })
    })
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Rules may have changed. */
  update(): void {
    for (const connection of [...this.connections]) {
      if (connection.onward === undefined) this.connectOnward(connection)
      for (const flow of connection.flows) flow.update()
    }
  }

  /** Breaks the connections that `from` dialled, with a reset. Returns how many there were. */
  reset(from: string): number {
    let count = 0
    for (const connection of [...this.connections]) {
      if (connection.from !== from) continue
      count++
      this.end(connection)
    }
    return count
  }

  /** Each connection in words. */
  describe(): string[] {
    return [...this.connections].map(({ from, onward, flows }) => {
      const [forward, back] = flows
      const who = `${from === '' ? 'unknown' : from} to ${this.options.to}`
      if (onward === undefined || forward === undefined || back === undefined) return `${who}: hangs`
      return `${who}: ${forward.describe()}; back: ${back.describe()}${onward.connecting ? '; connecting' : ''}`
    })
  }

  close(): void {
    this.server.close()
    for (const dialler of this.strangers) dialler.destroy()
    for (const connection of [...this.connections]) this.end(connection)
  }

  private accept(dialler: Socket): void {
    this.strangers.add(dialler)
    let said = Buffer.alloc(0)
    const identify = (): void => {
      clearTimeout(timer)
      this.strangers.delete(dialler)
      dialler.off('data', onData)
      dialler.off('close', forget)
      dialler.pause()
      const greets = said.length >= greetingBytes && said.subarray(0, magic.length).equals(magic)
      const id = greets ? said.readBigUInt64LE(fromOffset).toString(16) : ''
      this.begin({
        from: this.options.nameOf(id) ?? '',
        dialler,
        onward: undefined,
        flows: [],
        greeting: said,
      })
    }
    const onData = (chunk: Buffer): void => {
      said = Buffer.concat([said, chunk])
      const begun = said.subarray(0, magic.length)
      if (said.length >= greetingBytes || !begun.equals(magic.subarray(0, begun.length))) identify()
    }
    const forget = (): void => {
      clearTimeout(timer)
      this.strangers.delete(dialler)
    }
    const timer = setTimeout(identify, greetingTimeoutMs)
    dialler.on('error', () => {})
    dialler.on('close', forget)
    dialler.on('data', onData)
  }

  private begin(connection: RelayedConnection): void {
    this.connections.add(connection)
    connection.dialler.on('close', (hadError) => this.onClose(connection, connection.dialler, hadError))
    this.connectOnward(connection)
  }

  /**
   * One side closed. In order: its flow carries what it last said, and its end, to the other side. With an error: so
   * does the other side end, at once.
   */
  private onClose(connection: RelayedConnection, side: Socket, hadError: boolean): void {
    const other = side === connection.dialler ? connection.onward : connection.dialler
    if (hadError || other === undefined || other.destroyed) this.end(connection)
  }

  /** A connection begun while its direction is cut hangs until the cut ends. */
  private connectOnward(connection: RelayedConnection): void {
    const { to, targetPort, rule, draw } = this.options
    const { from, dialler } = connection
    if (rule({ from, to }).cut) return
    const onward = connect({ host: '127.0.0.1', port: targetPort, noDelay: true })
    connection.onward = onward
    onward.on('error', () => {})
    onward.on('close', (hadError) => this.onClose(connection, onward, hadError))
    const forward = new RelayFlow(dialler, onward, () => rule({ from, to }), draw)
    const back = new RelayFlow(onward, dialler, () => rule({ from: to, to: from }), draw)
    connection.flows = [forward, back]
    if (connection.greeting.length > 0) forward.take(connection.greeting)
  }

  private end(connection: RelayedConnection): void {
    if (!this.connections.delete(connection)) return
    for (const flow of connection.flows) flow.close()
    for (const side of [connection.dialler, connection.onward]) breakOff(side)
  }
}

/** With a reset, unless the side is being ended in order already: the two do not go together. */
function breakOff(side: Socket | undefined): void {
  if (side === undefined) return
  if (side.writableEnded || side.connecting) side.destroy()
  else side.resetAndDestroy()
}
