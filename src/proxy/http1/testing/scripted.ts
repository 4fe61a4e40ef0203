/** Connections, a network and time in a test's hand, with the HTTP/1.1 code upon them. */
import { assert } from '../../../base/index.ts'
import type { Connection, ConnectionHandler, Network, Scheduler, Timer } from '../../../runtime/index.ts'
import type { HttpLimits, ProxyUpstreamConfig } from '../../config/index.ts'
import type { RequestHandler } from '../../http/index.ts'
import { testClient, testLimits, testUpstream } from '../../http/testing/settings.ts'
import { createHttp1Downstream, createHttp1Pool } from '../index.ts'

/** Limits that a test reaches soon. */
export const tightLimits: HttpLimits = { ...testLimits, headBytesMax: 8_192, bodyIdleTimeoutMs: 10_000 }

/** Time that passes when it is told to. Ends of turns are run by `settle`. */
export class ManualScheduler implements Scheduler {
  private nowMs = 0
  private timers: { readonly atMs: number; readonly callback: () => void }[] = []
  private callbacks: (() => void)[] = []

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer)
      },
    }
  }

  endOfTurn(callback: () => void): void {
    this.callbacks.push(callback)
  }

  /** Runs ends of turns until none is asked for. */
  settle(): void {
    for (let passes = 0; this.callbacks.length > 0; passes++) {
      assert(passes < 10_000, 'the ends of turns never end')
      const pass = this.callbacks
      this.callbacks = []
      for (const callback of pass) callback()
    }
  }

  /** Lets `ms` go by, with every timer in its turn. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms
    this.settle()
    for (;;) {
      const due = this.timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.timers = this.timers.filter((other) => other !== due)
      this.nowMs = due.atMs
      due.callback()
      this.settle()
    }
    this.nowMs = endMs
  }
}

/** A transport's end in a test's hand: what is written is kept, what should arrive is passed in. */
export class ScriptedConnection implements Connection {
  readonly remoteAddress = '127.0.0.1:1'
  queuedBytes = 0
  isPaused = false
  isEnded = false
  isDestroyed = false
  writes = 0
  /** Whether `write` says that there is room. */
  hasRoom = true
  private handler: ConnectionHandler | undefined
  private written = ''

  /** All that was written, one unit a byte. */
  get text(): string {
    return this.written
  }

  get peer(): ConnectionHandler {
    return this.handler!
  }

  setHandler(handler: ConnectionHandler): void {
    this.handler = handler
  }

  write(bytes: Uint8Array): boolean {
    if (this.isEnded || this.isDestroyed) return true
    this.writes++
    this.written += Buffer.from(bytes).toString('latin1')
    return this.hasRoom
  }

  /** Forgets what was written, and returns it. */
  take(): string {
    const text = this.written
    this.written = ''
    return text
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    this.isDestroyed = true
  }
}

/** A network whose connections are in a test's hand, in the order they were asked for. */
export class ScriptedNetwork implements Network {
  readonly made: ScriptedConnection[] = []

  async listen(): Promise<never> {
    throw new Error('nothing listens on a scripted network')
  }

  connect(): Connection {
    const connection = new ScriptedConnection()
    this.made.push(connection)
    return connection
  }
}

/** One scripted client of a downstream whose requests `handler` takes. */
export function scriptedClient(handler: RequestHandler, limits: HttpLimits = tightLimits) {
  const scheduler = new ManualScheduler()
  const clock = { wallMs: () => 0, monotonicMs: () => 0 }
  const downstream = createHttp1Downstream({ clock, scheduler, handler, limits })
  const connection = new ScriptedConnection()
  const served = downstream.accept(connection, testClient, new Uint8Array(0))
  const send = (text: string): void => {
    served.onData(Buffer.from(text, 'latin1'))
    scheduler.settle()
  }
  return { scheduler, downstream, connection, served, send }
}

/** A pool on a scripted network. */
export function scriptedPool(config: ProxyUpstreamConfig = testUpstream()) {
  const scheduler = new ManualScheduler()
  const clock = { wallMs: () => 0, monotonicMs: () => 0 }
  const network = new ScriptedNetwork()
  const pool = createHttp1Pool({ clock, scheduler, network, host: '127.0.0.1', port: 1, config })
  return { scheduler, network, pool }
}
