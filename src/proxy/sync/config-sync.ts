/**
 * Keeps the configuration file of a running nginx or HAProxy in step with something that changes.
 *
 * Owns when the file is written and what was good last. `changed` is called by whoever watches; the target does the
 * writing and reloading.
 *
 * - Y1  One round runs at a time: render, validate, write, reload, verify. Changes meanwhile are one further round.
 * - Y2  A round begins {@link SyncSettings.settleMs} after the first change, and {@link SyncSettings.intervalMs} after the
 *       one before that had anything to do: a burst of changes is one reload, and the engine is never reloaded faster.
 * - Y3  Nothing that the engine's own check refuses is ever in the file.
 * - Y4  When a reload fails, what was there before is written and loaded again.
 * - Y5  A text that failed is not tried again until it changes, or {@link SyncSettings.retryMs} has passed.
 * - Y6  A round that was cut off between writing and loading is made up for: until a reload is known to have succeeded,
 *       the engine may run with something else than the file says, and no text counts as unchanged.
 */
import type { Clock, Scheduler, Timer } from '../../runtime/index.ts'

/** The file and the engine. Each call answers undefined when it went well, else what went wrong. */
export interface SyncTarget {
  /**
   * What the engine was known to run with last; undefined: there was no file. `isCertain`: the file holds just that, since
   * nothing was written after it that was not {@link loaded}.
   */
  read(): Promise<{ readonly text: string | undefined; readonly isCertain: boolean }>
  /** Asks the engine itself whether `text` is good, without touching the file. */
  validate(text: string): Promise<string | undefined>
  /** Puts `text` in the place of the file, at once and durably: a crash leaves the old or the new. Undefined: removes it. */
  write(text: string | undefined): Promise<string | undefined>
  /** Makes the engine load the file, and waits until it runs with it. */
  reload(): Promise<string | undefined>
  /** The engine runs with what was written: what was there before is needed no more. */
  loaded(): Promise<void>
}

export interface SyncSettings {
  /** Default 100 ms. */
  readonly settleMs: number
  /** Default 1 s. */
  readonly intervalMs: number
  /** Default 30 s. */
  readonly retryMs: number
}

export const syncSettingsDefault: SyncSettings = { settleMs: 100, intervalMs: 1_000, retryMs: 30_000 }

/** What a round came to. */
export type SyncReport =
  | { readonly result: 'unchanged' }
  /** The engine runs with the new configuration. */
  | { readonly result: 'reloaded'; readonly warnings: readonly string[] }
  /** The engine's check refused it, or it could not be written; the old one is in place. */
  | { readonly result: 'refused'; readonly reason: string }
  /** The reload failed. `restored`: undefined when the engine runs with the old one again, else what went wrong there too. */
  | { readonly result: 'rolled-back'; readonly reason: string; readonly restored: string | undefined }

export interface SyncSource {
  /** The configuration as it should be now; throws with a message when it cannot be made. */
  render(): { readonly text: string; readonly warnings: readonly string[] }
}

export class ConfigSync {
  private readonly source: SyncSource
  private readonly target: SyncTarget
  private readonly outside: { readonly scheduler: Scheduler; readonly clock: Clock }
  private readonly settings: SyncSettings
  private readonly onReport: (report: SyncReport) => void
  /** What the engine runs with, as far as we know; undefined before the first round. */
  private good: { readonly text: string | undefined } | undefined
  /** The engine runs with `good`, and the file holds it (Y6). */
  private isCertain = false
  /** The text that failed last (Y5). */
  private failed: string | undefined
  private timer: Timer | undefined
  /** The timer is that of a retry. */
  private isRetry = false
  /** Never set while a timer is. */
  private isRunning = false
  private isPending = false
  private isClosed = false
  /** When the last began that was not `unchanged`. */
  private lastRoundMs = Number.NEGATIVE_INFINITY
  /** Those who wait for the end of the round under way. */
  private waiting: (() => void)[] = []

  constructor(
    source: SyncSource,
    target: SyncTarget,
    outside: { readonly scheduler: Scheduler; readonly clock: Clock },
    onReport: (report: SyncReport) => void,
    settings: SyncSettings = syncSettingsDefault,
  ) {
    this.source = source
    this.target = target
    this.outside = outside
    this.onReport = onReport
    this.settings = settings
  }

  /** What the configuration is made of may have changed. */
  changed(): void {
    if (this.isClosed) return
    if (this.isRunning) {
      this.isPending = true
      return
    }
    // One that waits to try again waits no longer.
    if (this.isRetry) this.timer?.cancel()
    if (this.isRetry || this.timer === undefined) this.timer = this.schedule(this.settings.settleMs)
    this.isRetry = false
  }

  /** No round begins any more. Resolves when the one under way has ended. */
  close(): Promise<void> {
    this.isClosed = true
    this.timer?.cancel()
    this.timer = undefined
    return this.isRunning ? new Promise((resolve) => this.waiting.push(resolve)) : Promise.resolve()
  }

  private schedule(delayMs: number): Timer {
    const earliestMs = this.lastRoundMs + this.settings.intervalMs - this.outside.clock.monotonicMs()
    return this.outside.scheduler.setTimer(Math.max(delayMs, earliestMs), () => {
      this.timer = undefined
      void this.round()
    })
  }

  private async round(): Promise<void> {
    this.isRunning = true
    this.isPending = false
    const startMs = this.outside.clock.monotonicMs()
    const report = await this.attempt().catch(
      (error: unknown): SyncReport => ({ result: 'refused', reason: (error as Error).message }),
    )
    this.isRunning = false
    if (report.result !== 'unchanged') this.lastRoundMs = startMs
    this.onReport(report)
    if (this.isClosed) {
      for (const resolve of this.waiting.splice(0)) resolve()
      return
    }
    if (this.isPending) this.timer = this.schedule(this.settings.settleMs)
    else if (report.result === 'refused' || report.result === 'rolled-back') this.retryLater()
  }

  /** What is wrong may be outside of the text: a certificate that is not there yet, an address that is taken. */
  private retryLater(): void {
    this.isRetry = true
    this.timer = this.outside.scheduler.setTimer(this.settings.retryMs, () => {
      this.timer = undefined
      this.isRetry = false
      this.failed = undefined
      void this.round()
    })
  }

  private async attempt(): Promise<SyncReport> {
    if (this.good === undefined) {
      const { text, isCertain } = await this.target.read()
      this.good = { text }
      this.isCertain = isCertain
    }
    const { text, warnings } = this.source.render()
    if (this.isCertain ? text === this.good.text || text === this.failed : text === this.failed)
      return { result: 'unchanged' }
    const refused = (await this.target.validate(text)) ?? (await this.target.write(text))
    if (refused !== undefined) return this.failedWith(text, refused, !this.isCertain)
    this.isCertain = false
    const reason = await this.target.reload()
    if (reason !== undefined) return this.failedWith(text, reason, true)
    await this.settle(text)
    this.failed = undefined
    return { result: 'reloaded', warnings }
  }

  private async failedWith(text: string, reason: string, mustRestore: boolean): Promise<SyncReport> {
    this.failed = text
    if (!mustRestore) return { result: 'refused', reason }
    return { result: 'rolled-back', reason, restored: await this.restore(this.good!.text) }
  }

  private async restore(text: string | undefined): Promise<string | undefined> {
    const problem = await this.target.write(text)
    // Without a file before there is nothing to load.
    const failure = problem ?? (text === undefined ? undefined : await this.target.reload())
    if (failure === undefined) await this.settle(text)
    return failure
  }

  private async settle(text: string | undefined): Promise<void> {
    await this.target.loaded()
    this.good = { text }
    this.isCertain = true
  }
}
