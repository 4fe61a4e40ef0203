/**
 * One connection to one server, on which one session is opened or resumed.
 *
 * - N1  Replies come in the order of the requests, but for those under reserved xids, which have an order of their own.
 *       A reply out of order ends the connection.
 * - N2  Requests of one turn leave in one write, at its end.
 * - N3  Whatever is pending when the connection ends rejects with {@link ConnectionLost}; nothing is told after.
 */
import type { Address, CloseReason, Connection, Timer } from '../../../runtime/index.ts'
import {
  type ConnectRequest,
  type ConnectResponse,
  connectRequest,
  connectResponse,
  errorCodes,
  FrameReader,
  frame,
  JuteReader,
  type OperationName,
  type RequestOf,
  type ResponseOf,
  readReplyBody,
  replyHeader,
  reservedXids,
  type WatchEvent,
  watchEvent,
  writeRequest,
} from '../../../wire/zookeeper/index.ts'
import type { ClientRuntime } from '../../driver/index.ts'
import { ConnectionLost, refused, tooLarge } from './errors.ts'

/** What a server answered. */
export interface Reply<Op extends OperationName> {
  readonly zxid: bigint
  readonly err: number
  /** Undefined exactly when `err` is not 0. */
  readonly body: ResponseOf<Op> | undefined
}

export interface ConnectionOptions {
  readonly hello: ConnectRequest
  /** `user:password`. */
  readonly digest: string | undefined
  readonly requestBytesMax: number
  /** How long connecting and the handshake may take. */
  readonly openTimeoutMs: number
  /** Keeps the session alive by itself. A lease's is kept alive by its renewals alone. */
  readonly keepsAlive: boolean
}

export interface ConnectionOwner {
  onWatch(event: WatchEvent): void
  /** The last call. */
  onClose(connection: ServerConnection): void
}

interface Pending {
  readonly xid: number
  readonly op: OperationName
  readonly sinceMs: number
  readonly settle: (header: { zxid: bigint; err: number }, reader: JuteReader) => void
  readonly reject: (error: Error) => void
}

/** The longest answer taken: a directory of some hundred thousand names. */
const replyBytesMax = 64 << 20
const xidMax = 0x7fffffff

export class ServerConnection {
  readonly opened: Promise<ConnectResponse>
  readonly address: Address
  readonly #outside: ClientRuntime
  readonly #options: ConnectionOptions
  readonly #owner: ConnectionOwner
  readonly #connection: Connection
  readonly #frames = new FrameReader(replyBytesMax, (bytes) => this.#onFrame(bytes))
  /** N1. */
  #pending: Pending[] = []
  /** N2. */
  #unsent: Uint8Array[] = []
  #syncIsUnsent = false
  #xid = 0
  #handshake: { resolve: (answer: ConnectResponse) => void; reject: (error: Error) => void } | undefined
  #answer: ConnectResponse | undefined
  #timer: Timer
  #heardAtMs: number
  #spokeAtMs: number
  #isClosed = false
  #cause: Error | undefined

  constructor(address: Address, options: ConnectionOptions, owner: ConnectionOwner, outside: ClientRuntime) {
    this.address = address
    this.#options = options
    this.#owner = owner
    this.#outside = outside
    this.#heardAtMs = this.#spokeAtMs = outside.clock.monotonicMs()
    this.opened = new Promise((resolve, reject) => {
      this.#handshake = { resolve, reject }
    })
    this.opened.catch(() => {})
    this.#connection = outside.network.connect(address, { timeoutMs: options.openTimeoutMs })
    this.#timer = outside.scheduler.setTimer(options.openTimeoutMs, () => this.destroy())
    this.#connection.setHandler({
      onOpen: () => this.#greet(),
      onData: (bytes) => this.#onData(bytes),
      onEnd: () => this.destroy(),
      onClose: (reason) => this.#onClose(reason),
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Whether what is sent now leaves behind a `sync`, in one write with it. */
  get syncIsUnsent(): boolean {
    return this.#syncIsUnsent
  }

  /** Sends a request at the end of the turn. Rejects with {@link ConnectionLost}, or `TOO_LARGE`. */
  send<Op extends OperationName>(op: Op, body: RequestOf<Op>): Promise<Reply<Op>> {
    if (this.#isClosed) return Promise.reject(new ConnectionLost('the connection has ended'))
    this.#xid = this.#xid === xidMax ? 1 : this.#xid + 1
    const xid = op === 'ping' ? reservedXids.ping : op === 'auth' ? reservedXids.auth : this.#xid
    const bytes = frame((writer) => writeRequest(writer, xid, op, body))
    const { requestBytesMax } = this.#options
    if (bytes.length > requestBytesMax) return Promise.reject(tooLarge(bytes.length, requestBytesMax))
    return new Promise((resolve, reject) => {
      const settle: Pending['settle'] = ({ zxid, err }, reader) =>
        resolve({ zxid, err, body: err === errorCodes.ok ? readReplyBody(reader, op) : undefined })
      this.#pending.push({ xid, op, sinceMs: this.#outside.clock.monotonicMs(), settle, reject })
      if (op === 'sync') this.#syncIsUnsent = true
      this.#queue(bytes)
    })
  }

  destroy(): void {
    if (this.#isClosed) return
    this.#end()
    this.#connection.destroy()
  }

  #greet(): void {
    const { hello, digest } = this.#options
    this.#connection.write(frame((writer) => connectRequest.write(writer, hello)))
    if (digest === undefined) return
    this.send('auth', { type: 0, scheme: 'digest', auth: Buffer.from(digest, 'utf8') }).then(
      ({ err }) => {
        if (err !== errorCodes.ok) this.#fail(refused(err, 'authenticate'))
      },
      () => {},
    )
  }

  #queue(bytes: Uint8Array): void {
    if (this.#unsent.length === 0) this.#outside.scheduler.endOfTurn(() => this.#flush())
    this.#unsent.push(bytes)
  }

  #flush(): void {
    if (this.#isClosed) return
    this.#spokeAtMs = this.#outside.clock.monotonicMs()
    this.#connection.write(this.#unsent.length === 1 ? this.#unsent[0]! : Buffer.concat(this.#unsent))
    this.#unsent = []
    this.#syncIsUnsent = false
  }

  #onData(bytes: Uint8Array): void {
    if (this.#isClosed) return
    this.#heardAtMs = this.#outside.clock.monotonicMs()
    try {
      this.#frames.push(bytes)
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #onFrame(bytes: Buffer): void {
    if (this.#isClosed) return
    const reader = new JuteReader(bytes)
    if (this.#answer === undefined) return this.#onHandshake(connectResponse.read(reader))
    const header = replyHeader.read(reader)
    if (header.xid === reservedXids.watchEvent) return this.#owner.onWatch(watchEvent.read(reader))
    const at = this.#pending.findIndex(({ xid }) => (header.xid < 0 ? xid === header.xid : xid > 0))
    const request = this.#pending[at]
    if (request?.xid !== header.xid) throw new ConnectionLost(`a reply to ${header.xid}, which is not the next one`)
    this.#pending.splice(at, 1)
    try {
      request.settle(header, reader)
    } catch (error) {
      request.reject(new ConnectionLost('a reply that cannot be read', { cause: error }))
      throw error
    }
  }

  #onHandshake(answer: ConnectResponse): void {
    this.#answer = answer
    this.#timer.cancel()
    this.#handshake?.resolve(answer)
    this.#handshake = undefined
    if (answer.sessionId === 0n) return this.destroy()
    this.#watchOver(answer.timeOut)
  }

  /** Finds a server that fell silent, and speaks when nobody else does. */
  #watchOver(sessionTimeoutMs: number): void {
    this.#timer = this.#outside.scheduler.setTimer(sessionTimeoutMs / 6, () => {
      const now = this.#outside.clock.monotonicMs()
      const waitingSinceMs = Math.max(this.#heardAtMs, this.#pending[0]?.sinceMs ?? now)
      if (now - waitingSinceMs >= sessionTimeoutMs / 3) return this.destroy()
      if (this.#options.keepsAlive && now - this.#spokeAtMs >= sessionTimeoutMs / 3)
        this.send('ping', {}).catch(() => {})
      this.#watchOver(sessionTimeoutMs)
    })
  }

  #fail(cause: Error): void {
    this.#cause = cause
    this.destroy()
  }

  #onClose(reason: CloseReason): void {
    this.#cause ??= new Error(`the connection to ${this.address.host}:${this.address.port} was ${reason}`)
    this.#end()
  }

  /** N3. */
  #end(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#timer.cancel()
    const lost =
      this.#cause?.name === 'SynodError'
        ? this.#cause
        : new ConnectionLost('the connection has ended', { cause: this.#cause })
    this.#handshake?.reject(lost)
    for (const { reject } of this.#pending.splice(0)) reject(lost)
    this.#owner.onClose(this)
  }
}
