/** Where to listen or connect: a numeric address or host name, and a port. Port 0 listens on any free port. */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Why a connection is gone.
 * `ended`: both sides finished. `reset`: the peer or its kernel broke it (a killed process shows as `ended` or `reset`).
 * `refused`: nobody listens there. `unreachable`: no route, or the connect timed out. `local`: this side called
 * `destroy`.
 */
export type CloseReason = 'ended' | 'reset' | 'refused' | 'unreachable' | 'local'

/** What a connection tells its owner. Called in order; `onClose` is the last call and comes exactly once. */
export interface ConnectionHandler {
  /** An outgoing connection is established. Never called for accepted ones, which are open from the start. */
  onOpen?(): void
  /** Bytes arrived. The receiver owns them and may keep views of them. */
  onData(bytes: Uint8Array): void
  /** The peer will send no more. Writing is still possible until `end` or `destroy`. */
  onEnd?(): void
  /** `queuedBytes` fell back below the high-water mark after a `write` that returned false. */
  onDrain?(): void
  onClose(reason: CloseReason): void
}

/** A reliable, ordered stream of bytes to a peer. */
export interface Connection {
  readonly remoteAddress: string
  /** Bytes accepted by `write` and not yet handed to the operating system (or, simulated, to the network). */
  readonly queuedBytes: number
  /** Once closed: what the operating system or TLS said about it, for people. */
  readonly closeDetail?: string | undefined
  /** Must be called in the same turn in which the connection was made or accepted, before any event can arrive. */
  setHandler(handler: ConnectionHandler): void
  /**
   * Queues `bytes`, which the caller must not change afterwards. Returns false when more than the high-water mark is
   * queued: stop until `onDrain`. Bytes written before `onOpen` are sent once open. After close it does nothing.
   */
  write(bytes: Uint8Array): boolean
  /** As `write` of `first` and then `second`, in one call to the operating system; missing where that gains nothing. */
  writeBoth?(first: Uint8Array, second: Uint8Array): boolean
  /** True: what was written is the caller's again once `queuedBytes` is 0. Missing: never. */
  readonly freesWritten?: boolean
  /** Calls `onDrain` as soon as all that is queued now has left, also below the high-water mark; missing where it cannot. */
  tellDrain?(): void
  /**
   * Takes back bytes that `onData` brought, whole, and of which nobody keeps a view: they may be read into again. Within that
   * `onData`; later it does nothing.
   */
  giveBack?(bytes: Uint8Array): void
  /** Stops `onData` until `resume`; the peer is slowed down by the transport's own flow control. */
  pause(): void
  resume(): void
  /** Sends what is queued, then half-closes. */
  end(): void
  /** Drops the connection and what is queued. `onClose('local')` follows in a later turn. */
  destroy(): void
  /** As `destroy`, and the peer sees a reset, never an end in order; missing where `destroy` looks so anyway. */
  reset?(): void
}

/** Drops a connection whose end in order would tell the peer that all was said. */
export function resetConnection(connection: Connection): void {
  if (connection.reset === undefined) connection.destroy()
  else connection.reset()
}

export interface Listener {
  /** The address in use, with the real port when 0 was asked for. */
  readonly address: Address
  /** Stops accepting. Connections already accepted live on. */
  close(): Promise<void>
}

/** The error a `listen` rejects with. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: 'ADDRESS_IN_USE' | 'ADDRESS_NOT_AVAILABLE' | 'PERMISSION_DENIED' | 'LISTEN_FAILED'

  constructor(code: ListenError['code'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** Byte streams between processes, real or simulated. */
export interface Network {
  /** Accepts connections at `address`; rejects with a {@link ListenError}. */
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
  /** Starts connecting and returns at once; failure arrives as `onClose`. */
  connect(address: Address, options?: { timeoutMs?: number }): Connection
}
