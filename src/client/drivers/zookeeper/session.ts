/**
 * One ZooKeeper session, kept over connections to different servers. The session that reads and writes is one; each
 * lease is another.
 *
 * - Z1  At most one connection at a time; it is made when a call needs it, and the attempts stop when no call waits.
 *       So a lease's session is never kept alive by anything but its lease's calls.
 * - Z2  Once over, a session that must not be replaced stays over: `ended` says why.
 * - Z3  A connection is accepted only when the server has seen what this session has seen (`lastZxidSeen`): reads never
 *       go back.
 */
import type { ConnectResponse, WatchEvent } from '../../../wire/zookeeper/index.ts'
import type { ClientRuntime } from '../../driver/index.ts'
import type { SynodError } from '../../errors.ts'
import type { Call } from './call.ts'
import { ServerConnection } from './connection.ts'
import { leaseNotFound } from './errors.ts'
import type { ZooKeeperSettings } from './options.ts'

const pauseMsMin = 20
const pauseMsMax = 1_000
const openTimeoutMsMax = 3_000
const noPassword = new Uint8Array(16)

export interface SessionRole {
  readonly timeoutMs: number
  /** Opened anew when it is over, and kept alive while connected: for the session without ephemeral nodes. */
  readonly isReplaceable: boolean
  onWatch(event: WatchEvent): void
  /** The connection ended, and with it its watches. */
  onDisconnected(): void
}

export class ServerSession {
  readonly #settings: ZooKeeperSettings
  readonly #role: SessionRole
  readonly #outside: ClientRuntime
  #sessionId = 0n
  #password: Uint8Array = noPassword
  #timeoutMs = 0
  /** When the hello of the newest connection was written, by the monotonic clock. */
  #helloAtMs = 0
  #lastZxidSeen = 0n
  #connection: ServerConnection | undefined
  #attempt: Promise<void> | undefined
  /** Z1. */
  #waiting = 0
  #server: number
  #ended: SynodError | undefined
  #opening: ServerConnection | undefined

  constructor(settings: ZooKeeperSettings, role: SessionRole, outside: ClientRuntime) {
    this.#settings = settings
    this.#role = role
    this.#outside = outside
    this.#server = outside.random.below(settings.servers.length)
  }

  /** As granted by the server; 0 before the first connection. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** Unsigned; 0n before the first connection. */
  get sessionId(): bigint {
    return BigInt.asUintN(64, this.#sessionId)
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  get helloAtMs(): number {
    return this.#helloAtMs
  }

  /** The newest state of the ensemble that this session is known to stand behind. */
  get lastZxidSeen(): bigint {
    return this.#lastZxidSeen
  }

  /** Notes what a reply told of the server's state (Z3). */
  saw(zxid: bigint): void {
    if (zxid > this.#lastZxidSeen) this.#lastZxidSeen = zxid
  }

  /** The live connection, made if need be. Rejects when the call or the session is over. */
  async connected(call: Call): Promise<ServerConnection> {
    let isCounted = true
    const leave = (): void => {
      if (isCounted) this.#waiting--
      isCounted = false
    }
    this.#waiting++
    call.onEnd(leave)
    try {
      for (;;) {
        call.check()
        if (this.#ended !== undefined) throw this.#ended
        if (this.#connection !== undefined) return this.#connection
        this.#attempt ??= this.#connect().finally(() => {
          this.#attempt = undefined
        })
        // It comes to nothing when nobody waited for a moment.
        await this.#attempt
      }
    } finally {
      leave()
    }
  }

  /** The session is over, by the server's word or its owner's. */
  end(reason: SynodError): void {
    this.#ended ??= reason
    this.#connection?.destroy()
    this.#opening?.destroy()
  }

  async #connect(): Promise<void> {
    for (let round = 0; this.#waiting > 0; round++) {
      for (const _ of this.#settings.servers) {
        if (this.#ended !== undefined || (await this.#tryServer())) return
        this.#server = (this.#server + 1) % this.#settings.servers.length
      }
      await this.#pauseBefore(round)
    }
  }

  #pauseBefore(round: number): Promise<void> {
    const ceilingMs = Math.min(pauseMsMax, pauseMsMin * 2 ** Math.min(round, 10))
    const delayMs = ceilingMs * (0.5 + this.#outside.random.float() / 2)
    return new Promise((resolve) => this.#outside.scheduler.setTimer(delayMs, resolve))
  }

  /** False when another server, or a later moment, may do. */
  async #tryServer(): Promise<boolean> {
    const hello = {
      protocolVersion: 0,
      lastZxidSeen: this.#lastZxidSeen,
      timeOut: this.#sessionId === 0n ? this.#role.timeoutMs : this.#timeoutMs,
      sessionId: this.#sessionId,
      passwd: this.#password,
      readOnly: false,
    }
    const helloAtMs = this.#outside.clock.monotonicMs()
    const connection = new ServerConnection(
      this.#settings.servers[this.#server]!,
      {
        hello,
        digest: this.#settings.digest,
        requestBytesMax: this.#settings.requestBytesMax,
        openTimeoutMs: Math.min(openTimeoutMsMax, Math.ceil(hello.timeOut / 6)),
        keepsAlive: this.#role.isReplaceable,
      },
      {
        onWatch: (event) => this.#role.onWatch(event),
        onClose: (closed) => this.#onClose(closed),
      },
      this.#outside,
    )
    this.#opening = connection
    try {
      return this.#accept(await connection.opened, connection, helloAtMs)
    } catch (error) {
      // What no other server would do otherwise: a user that is refused.
      if ((error as Error).name === 'SynodError') throw error
      return false
    } finally {
      this.#opening = undefined
    }
  }

  #accept(answer: ConnectResponse, connection: ServerConnection, helloAtMs: number): boolean {
    if (answer.sessionId === 0n || answer.timeOut <= 0) {
      connection.destroy()
      this.expire()
      return false
    }
    if (connection.isClosed || this.#ended !== undefined) {
      connection.destroy()
      return false
    }
    this.#sessionId = answer.sessionId
    this.#password = answer.passwd ?? noPassword
    this.#timeoutMs = answer.timeOut
    this.#helloAtMs = helloAtMs
    this.#connection = connection
    return true
  }

  /** The server says that there is no such session any more. */
  expire(): void {
    this.#sessionId = 0n
    this.#password = noPassword
    if (this.#role.isReplaceable) this.#connection?.destroy()
    else this.end(leaseNotFound())
  }

  #onClose(connection: ServerConnection): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    // Whoever comes next should not begin with the server that just went.
    this.#server = (this.#server + 1) % this.#settings.servers.length
    this.#role.onDisconnected()
  }
}
