import type { LogFields, Logger, LogLevel } from '../index.ts'
import type { Incarnation, Kernel } from './kernel.ts'

/** One log record of a simulated node. */
export interface SimulatedLogLine {
  readonly atMs: number
  readonly nodeName: string
  readonly level: LogLevel
  readonly message: string
  readonly fields: LogFields
}

/** Collects the lines of one life of a node into the simulation. */
export class SimulatedLogger implements Logger {
  private readonly kernel: Kernel
  private readonly incarnation: Incarnation
  private readonly lines: SimulatedLogLine[]
  private readonly fields: LogFields

  constructor(kernel: Kernel, incarnation: Incarnation, lines: SimulatedLogLine[], fields: LogFields = {}) {
    this.kernel = kernel
    this.incarnation = incarnation
    this.lines = lines
    this.fields = fields
  }

  debug(message: string, fields?: LogFields): void {
    this.add('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.add('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.add('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.add('error', message, fields)
  }

  with(fields: LogFields): Logger {
    return new SimulatedLogger(this.kernel, this.incarnation, this.lines, { ...this.fields, ...fields })
  }

  private add(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!this.incarnation.alive) return
    const { nodeName } = this.incarnation
    this.lines.push({ atMs: this.kernel.nowMs, nodeName, level, message, fields: { ...this.fields, ...fields } })
  }
}
