/**
 * Keeps the history: in memory for the checkers, and as JSON lines in a file for whoever looks into it later.
 *
 * - H1  All times come from one clock that never falls, this process's own, in milliseconds since the run began.
 * - H2  Times are cut, not rounded: what happened before stays before or equal.
 */
import { createWriteStream, openSync, type WriteStream } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { HistoryRecord } from '../history/index.ts'

export class Recorder {
  readonly records: HistoryRecord[] = []
  private readonly startMs = performance.now()
  private readonly file: WriteStream | undefined
  private failure: Error | undefined

  /** Without a path the history is kept in memory only. Throws when the file cannot be made. */
  constructor(path?: string) {
    if (path === undefined) return
    this.file = createWriteStream(path, { fd: openSync(path, 'w') })
    this.file.on('error', (error) => {
      this.failure = error
    })
  }

  /** The time of this history's clock. */
  nowMs(): number {
    return Math.floor((performance.now() - this.startMs) * 1000) / 1000
  }

  add(record: HistoryRecord): void {
    this.records.push(record)
    this.file?.write(`${JSON.stringify(record)}\n`)
  }

  /** Resolves when the file holds everything; rejects when it could not be written. */
  async close(): Promise<void> {
    const { file } = this
    if (file === undefined) return
    await new Promise<void>((resolve) => {
      if (file.closed) return resolve()
      file.once('close', resolve)
      file.end()
    })
    if (this.failure !== undefined) throw this.failure
  }
}
