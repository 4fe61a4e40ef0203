/**
 * The access log of a worker. Owns the lines not yet written; the exchange calls `log` once for each request.
 *
 * - A1  A line is handed to the sink whole, together with its neighbours, at the latest `flushAfterMs` after it was logged
 *       or when `bufferBytesMax` are full. A killed process loses what is younger.
 * - A2  Bytes given to the sink are not reused.
 * - A3  Memory is bounded: a line longer than the buffer is cut, and ends in a line feed all the same.
 */
import type { Clock, Scheduler } from '../../runtime/index.ts'
import type { AccessLogConfig } from '../config/index.ts'
import { combinedFormat, jsonFormat, type LineFormat } from './format.ts'
import type { AccessRecord } from './record.ts'

/** Where whole lines go: a file opened for appending, standard output. Its own failures are its own. */
export interface AccessLogSink {
  append(bytes: Uint8Array): void
}

export interface AccessLogInit {
  readonly format: AccessLogConfig['format']
  readonly clock: Clock
  readonly scheduler: Scheduler
  readonly sink: AccessLogSink
}

const bufferBytesMax = 65_536
const flushAfterMs = 100

export class AccessLog {
  /** Written so far: for metrics. */
  lines = 0
  private readonly clock: Clock
  private readonly scheduler: Scheduler
  private readonly sink: AccessLogSink
  private readonly format: LineFormat
  private buffer = Buffer.allocUnsafeSlow(bufferBytesMax)
  private length = 0
  private isFlushDue = false

  constructor(init: AccessLogInit) {
    this.clock = init.clock
    this.scheduler = init.scheduler
    this.sink = init.sink
    this.format = init.format === 'json' ? jsonFormat() : combinedFormat()
  }

  log(record: AccessRecord): void {
    let line = this.format(record, this.clock.wallMs())
    if (line.length > bufferBytesMax) line = `${line.slice(0, bufferBytesMax - 1)}\n`
    if (this.length + line.length > bufferBytesMax) this.flush()
    this.length += this.buffer.latin1Write(line, this.length, line.length)
    this.lines++
    if (this.isFlushDue) return
    this.isFlushDue = true
    this.scheduler.setTimer(flushAfterMs, this.flushWhenDue)
  }

  /** Hands over what is there. Call it before the process ends, and before the sink is opened anew. */
  flush(): void {
    if (this.length === 0) return
    // A small remainder is copied, so that an idle log does not trade whole buffers.
    const isFull = this.length * 2 > bufferBytesMax
    const bytes = isFull ? this.buffer.subarray(0, this.length) : Buffer.from(this.buffer.subarray(0, this.length))
    if (isFull) this.buffer = Buffer.allocUnsafeSlow(bufferBytesMax)
    this.length = 0
    this.sink.append(bytes)
  }

  private readonly flushWhenDue = (): void => {
    this.isFlushDue = false
    this.flush()
  }
}
