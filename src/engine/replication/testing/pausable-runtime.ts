/**
 * A runtime whose program can be made to stand still, as a process that got SIGSTOP does: nothing of it runs, bytes and
 * disk answers gather, clocks go on. At `resume` all that gathered runs, in the order it came about.
 */
import type { Connection, ConnectionHandler, Disk, Network, Runtime, Scheduler } from '../../../runtime/index.ts'

export class PausableRuntime implements Runtime {
  readonly clock: Runtime['clock']
  readonly random: Runtime['random']
  readonly logger: Runtime['logger']
  readonly disk: Disk
  readonly network: Network
  readonly scheduler: Scheduler
  private readonly inner: Runtime
  private paused = false
  private gathered: (() => void)[] = []

  constructor(inner: Runtime) {
    this.inner = inner
    this.clock = inner.clock
    this.random = inner.random
    this.logger = inner.logger
    this.disk = this.gatePromises(inner.disk)
    this.network = {
      listen: (address, onConnection) =>
        this.gatePromise(
          inner.network.listen(address, (connection) => {
            const gated = this.gateConnection(connection, true)
            this.gate(() => onConnection(gated))
          }),
        ),
      connect: (address, options) => this.gateConnection(inner.network.connect(address, options), false),
    }
    this.scheduler = {
      setTimer: (delayMs, callback) => {
        let cancelled = false
        const timer = inner.scheduler.setTimer(delayMs, () =>
          this.gate(() => {
            if (!cancelled) callback()
          }),
        )
        return {
          cancel: () => {
            cancelled = true
            timer.cancel()
          },
        }
      },
      endOfTurn: (callback) => inner.scheduler.endOfTurn(() => this.gate(callback)),
    }
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    if (!this.paused) return
    this.paused = false
    this.runNext()
  }

  get isPaused(): boolean {
    return this.paused
  }

  /** One a turn, so that promise reactions run in between; what comes meanwhile queues behind. */
  private runNext(): void {
    if (this.paused) return
    const next = this.gathered.shift()
    if (next === undefined) return
    this.inner.scheduler.setTimer(0, () => this.runNext())
    next()
  }

  private gate(run: () => void): void {
    if (this.paused || this.gathered.length > 0) this.gathered.push(run)
    else run()
  }

  private gatePromise<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.gate(() => resolve(value)),
        (error: unknown) => this.gate(() => reject(error)),
      )
    })
  }

  /** A disk or one of its files: whatever its methods promise is gated, and files it opens are wrapped alike. */
  private gatePromises<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (_, property) => {
        const value: unknown = Reflect.get(target, property, target)
        if (typeof value !== 'function') return value
        return (...parameters: unknown[]) => {
          const result: unknown = Reflect.apply(value, target, parameters)
          if (!(result instanceof Promise)) return result
          const gated = this.gatePromise(result)
          return property === 'open' ? gated.then((file: object) => this.gatePromises(file)) : gated
        }
      },
    })
  }

  /** An accepted connection is made known only when the program runs; until then its events gather, too. */
  private gateConnection(connection: Connection, accepted: boolean): Connection {
    const early: ((handler: ConnectionHandler) => void)[] = []
    let handler: ConnectionHandler | undefined
    const tell = (event: (handler: ConnectionHandler) => void) =>
      this.gate(() => {
        if (handler === undefined) early.push(event)
        else event(handler)
      })
    const inner: ConnectionHandler = {
      onOpen: () => tell((h) => h.onOpen?.()),
      onData: (bytes) => tell((h) => h.onData(bytes)),
      onEnd: () => tell((h) => h.onEnd?.()),
      onDrain: () => tell((h) => h.onDrain?.()),
      onClose: (reason) => tell((h) => h.onClose(reason)),
    }
    if (accepted) connection.setHandler(inner)
    return {
      get remoteAddress() {
        return connection.remoteAddress
      },
      get queuedBytes() {
        return connection.queuedBytes
      },
      setHandler: (given) => {
        handler = given
        if (!accepted) connection.setHandler(inner)
        for (const event of early.splice(0)) event(given)
      },
      write: (bytes) => connection.write(bytes),
      pause: () => connection.pause(),
      resume: () => connection.resume(),
      end: () => connection.end(),
      destroy: () => connection.destroy(),
    }
  }
}
