import type { LogFields, Logger, LogLevel } from '../index.ts'

/** `text` is for people, `json` (one object a line) for collectors. */
export type LogFormat = 'text' | 'json'

export interface LineLoggerOptions {
  readonly level: LogLevel
  readonly format: LogFormat
  /** Receives each finished line, its newline included. */
  readonly writeLine: (line: string) => void
  readonly wallMs: () => number
  readonly fields?: LogFields | undefined
}

type Emit = (message: string, fields?: LogFields) => void

const levelOrder: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 }
const drop: Emit = () => {}

/** Renders each record as one line: whatever a message or value holds, it cannot start a second line. */
export class LineLogger implements Logger {
  readonly debug: Emit
  readonly info: Emit
  readonly warn: Emit
  readonly error: Emit
  private readonly options: LineLoggerOptions

  constructor(options: LineLoggerOptions) {
    this.options = options
    const render = options.format === 'json' ? renderJson : renderText
    // Every line repeats these, so they are rendered once.
    const ownFields = options.fields === undefined ? '' : render.fields(options.fields)
    const emitAt = (level: LogLevel): Emit => {
      if (levelOrder[level] < levelOrder[options.level]) return drop
      return (message, fields) => {
        const rest = fields === undefined ? ownFields : ownFields + render.fields(fields)
        options.writeLine(render.line(new Date(options.wallMs()).toISOString(), level, message, rest))
      }
    }
    this.debug = emitAt('debug')
    this.info = emitAt('info')
    this.warn = emitAt('warn')
    this.error = emitAt('error')
  }

  with(fields: LogFields): Logger {
    return new LineLogger({ ...this.options, fields: { ...this.options.fields, ...fields } })
  }
}

interface Renderer {
  fields(fields: LogFields): string
  line(time: string, level: LogLevel, message: string, fields: string): string
}

/** Letters, digits and punctuation that need no quotes in `key=value`. */
const plainValue = /^[\w.:/@+,\-[\]<>*]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const unsafeText = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

const renderText: Renderer = {
  fields(fields) {
    let text = ''
    for (const key in fields) {
      const value = fields[key]
      if (value === undefined) continue
      const plain = typeof value !== 'string' || plainValue.test(value)
      text += ` ${key}=${plain ? value : quote(value)}`
    }
    return text
  },
  line(time, level, message, fields) {
    const safe = unsafeText.test(message) ? quote(message) : message
    return `${time} ${level.toUpperCase().padEnd(5)} ${safe}${fields}\n`
  },
}

const renderJson: Renderer = {
  fields(fields) {
    let text = ''
    for (const key in fields) {
      const value = fields[key]
      if (value === undefined) continue
      // A 64-bit id does not fit a JSON number that other readers parse as a double.
      text += `,${JSON.stringify(key)}:${typeof value === 'bigint' ? `"${value}"` : JSON.stringify(value)}`
    }
    return text
  },
  line(time, level, message, fields) {
    return `{"time":"${time}","level":"${level}","message":${JSON.stringify(message)}${fields}}\n`
  },
}

/** JSON's quoting, and escapes for the control characters that JSON lets through. */
function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u2028\u2029]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
