export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Structured log lines. `message` is a constant phrase; everything that varies goes into `fields`. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A logger that adds `fields` to each line. */
  with(fields: LogFields): Logger
}

export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>

/** Drops everything. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with() {
    return silentLogger
  },
}
