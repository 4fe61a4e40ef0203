/**
 * The way to one Redis server: runs scripts on it, each to its end or its deadline.
 *
 * - I1  A script is sent only over a connection that was admitted: its server is one we can stand on, and of the
 *       connections before it on the same server none can run anything any more (`CLIENT KILL`).
 * - I2  Therefore a script whose connection broke can be sent again: what was sent before either ran, and the script
 *       knows its request again, or never will.
 * - I3  `admitted` is set exactly while there is such a connection.
 */
import type { Redis } from 'ioredis'
import type { CallOptions, ClientRuntime, Key } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { assertInTime, cancelledError, timeoutError } from '../../limits.ts'
import { Backoff, Bell, pause } from '../../watching/index.ts'
import { isPassingRefusal, isReply, replyError, replyWord } from './redis-errors.ts'
import type { ScriptCall } from './script.ts'
import { parseInfo, refuseUnfit, type ServerInfo } from './server-info.ts'

export interface ConnectionParts {
  readonly redis: Redis
  readonly outside: ClientRuntime
  readonly requestTimeoutMs: number
}

/** A number that no connection ever has. */
const nobody = '9223372036854775807'

interface Admission {
  /** Of the server's process: a server that was restarted gives its numbers anew. */
  readonly runId: string
  readonly clientId: string
}

export class RedisConnection {
  readonly outside: ClientRuntime
  private readonly redis: Redis
  private readonly requestTimeoutMs: number
  private readonly closing = new AbortController()
  private readonly waiting = new Set<Bell>()
  private admitted: Admission | undefined
  /** The last that was admitted: what must be dead before another is. */
  private former: Admission | undefined
  /** Why there is no connection. */
  private trouble: SynodError | undefined
  /** Why there never will be: thrown to all who ask. */
  private refusal: SynodError | undefined
  private info: ServerInfo | undefined

  constructor({ redis, outside, requestTimeoutMs }: ConnectionParts) {
    this.redis = redis
    this.outside = outside
    this.requestTimeoutMs = requestTimeoutMs
    redis.on('error', (error: Error) => this.onError(error))
    redis.on('ready', () => {
      this.admitted = undefined
      void this.admit()
    })
    redis.on('close', () => {
      this.admitted = undefined
    })
  }

  /** Resolves when the first connection is admitted; rejects with why there is none. */
  async open(): Promise<ServerInfo> {
    this.redis.connect().catch(() => {})
    const deadlineMs = this.outside.clock.monotonicMs() + this.requestTimeoutMs
    try {
      await this.awaitAdmitted({ deadlineMs })
    } catch (error) {
      throw this.toldOf('the connection', error, 'not-applied')
    }
    return this.info!
  }

  /** Fires with `CLOSED`. */
  get closed(): AbortSignal {
    return this.closing.signal
  }

  /**
   * Runs it until it is answered. Rejects with what the server refuses, and with `TIMEOUT`, `CANCELLED`, `UNAVAILABLE`
   * or `CLOSED` by the limits: `unknown` from when it was first sent.
   */
  run(call: ScriptCall, options: CallOptions = {}): Promise<unknown> {
    const { script, keys, args } = call
    const rest = [keys.length, ...keys.map(bytesOf), ...args]
    return this.ask(script.name, options, 'unknown', async () => {
      try {
        return await this.redis.call('EVALSHA', script.sha, ...rest)
      } catch (error) {
        if (!isReply(error) || replyWord(error) !== 'NOSCRIPT') throw error
        return await this.redis.call('EVAL', script.text, ...rest)
      }
    })
  }

  /** The text at a key. */
  async get(key: Key, options: CallOptions = {}): Promise<Uint8Array | undefined> {
    const value = await this.ask('a read', options, 'not-applied', () => this.redis.getBuffer(bytesOf(key)))
    return value === null ? undefined : (value as Buffer)
  }

  async delete(key: Key, options: CallOptions = {}): Promise<void> {
    await this.ask('a deletion', options, 'unknown', () => this.redis.del(bytesOf(key)))
  }

  close(): void {
    this.closing.abort(new SynodError('CLOSED', 'the connection was closed by this program; connect again'))
    this.admitted = undefined
    this.redis.disconnect()
  }

  private async ask(
    what: string,
    options: CallOptions,
    lateOutcome: 'unknown' | 'not-applied',
    send: () => Promise<unknown>,
  ): Promise<unknown> {
    const { clock } = this.outside
    const deadlineMs = options.deadlineMs ?? clock.monotonicMs() + this.requestTimeoutMs
    const limits: CallOptions = { signal: this.orClosed(options.signal), deadlineMs }
    const backoff = new Backoff(this.outside)
    let outcome: 'unknown' | 'not-applied' = 'not-applied'
    try {
      for (;;) {
        await this.awaitAdmitted(limits)
        assertInTime(this.outside, limits)
        const before: 'unknown' | 'not-applied' = outcome
        outcome = lateOutcome
        try {
          return await this.inTime(send(), limits)
        } catch (error) {
          if (isPassingRefusal(error)) outcome = before
          else if (isReply(error)) throw replyError(what, error)
          else if (error instanceof SynodError) throw error
          this.trouble = lostError(error)
        }
        await pause(this.outside, backoff.next(), limits)
      }
    } catch (error) {
      throw this.toldOf(what, error, outcome)
    }
  }

  private orClosed(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.closed : AbortSignal.any([signal, this.closed])
  }

  private toldOf(what: string, error: unknown, outcome: 'unknown' | 'not-applied'): unknown {
    if (!(error instanceof SynodError)) return error
    if (this.closed.aborted) return new SynodError('CLOSED', (this.closed.reason as SynodError).message, { outcome })
    if (error.code === 'TIMEOUT') {
      const { trouble } = this
      if (trouble !== undefined && this.admitted === undefined)
        return new SynodError('UNAVAILABLE', `${what} found no Redis in time: ${trouble.message}`, {
          outcome,
          cause: trouble,
        })
      const message = `${what} was not answered in time; the server is slow or out of reach`
      return new SynodError('TIMEOUT', message, { outcome })
    }
    if (error.code === 'CANCELLED')
      return new SynodError('CANCELLED', `${what} was cancelled by its signal`, { outcome, cause: error.cause })
    return error
  }

  private async awaitAdmitted(limits: CallOptions): Promise<void> {
    while (this.admitted === undefined) {
      if (this.refusal !== undefined) throw this.refusal
      const bell = new Bell()
      this.waiting.add(bell)
      try {
        await bell.heard(this.outside, limits)
      } finally {
        this.waiting.delete(bell)
      }
    }
  }

  /** The answer to what was sent, unless the caller's time is up before. */
  private inTime<T>(answer: Promise<T>, { signal, deadlineMs }: CallOptions): Promise<T> {
    return new Promise((resolve, reject) => {
      const leftMs = deadlineMs! - this.outside.clock.monotonicMs()
      const timer =
        leftMs === Number.POSITIVE_INFINITY
          ? undefined
          : this.outside.scheduler.setTimer(Math.max(0, leftMs), () => finish(() => reject(timeoutError())))
      const onAbort = (): void => finish(() => reject(cancelledError(signal!)))
      const finish = (settle: () => void): void => {
        timer?.cancel()
        signal!.removeEventListener('abort', onAbort)
        settle()
      }
      signal!.addEventListener('abort', onAbort)
      answer.then(
        (value) => finish(() => resolve(value)),
        (error: unknown) => finish(() => reject(error)),
      )
    })
  }

  /** I1. What fails here fails with its connection, and ioredis makes the next one. */
  private async admit(): Promise<void> {
    try {
      const [text, id] = await Promise.all([this.redis.call('INFO'), this.redis.call('CLIENT', 'ID')])
      const info = parseInfo(String(text))
      refuseUnfit(info)
      const { former } = this
      const clientId = String(id)
      // The first time nobody, to hear now whether it is allowed.
      const dead = former !== undefined && former.runId === info.runId ? former.clientId : nobody
      await this.redis.call('CLIENT', 'KILL', 'ID', dead)
      this.info = info
      this.admitted = { runId: info.runId, clientId }
      this.former = this.admitted
      this.trouble = undefined
    } catch (error) {
      if (isReply(error)) this.refuse(replyError('what a connection needs (INFO, CLIENT ID, CLIENT KILL)', error))
      else if (error instanceof SynodError) this.refuse(error)
      else this.trouble = lostError(error)
    }
    this.wakeAll()
  }

  /** A server that was fit and is not now may be fit again, as one that is demoted and promoted: only the first time is final. */
  private refuse(error: SynodError): void {
    if (this.former === undefined && error.code !== 'UNAVAILABLE') this.refusal = error
    else {
      this.trouble = error
      this.redis.disconnect(true)
    }
  }

  private onError(error: Error): void {
    this.trouble = isReply(error) ? replyError('the connection', error) : lostError(error)
    if (this.former !== undefined || this.trouble.code === 'UNAVAILABLE') return
    this.refusal = this.trouble
    this.wakeAll()
  }

  private wakeAll(): void {
    for (const bell of this.waiting) bell.ring()
  }
}

/** Keys are bytes, as text of one character a byte. */
export function bytesOf(key: Key): Buffer {
  return Buffer.from(key, 'latin1')
}

function lostError(error: unknown): SynodError {
  const { message } = error as Error
  return new SynodError('UNAVAILABLE', `no connection to Redis (${message}); look whether it runs, and where`, {
    cause: error,
  })
}
