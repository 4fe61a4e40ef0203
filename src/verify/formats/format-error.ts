/** A file that cannot be read as a history. `line` counts from 1; absent if no line is to blame. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
  readonly line: number | undefined

  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`)
    this.line = line
  }
}
