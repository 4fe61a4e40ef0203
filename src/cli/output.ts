/** What the commands print, and how they end. */

/** A command cannot be carried out; the message says what to do. Printed without a stack trace. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Lines up columns: numbers of spaces, no borders, so that it can be cut and copied. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)))
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return [line(header), ...rows.map(line)].join('\n')
}

export function printLine(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** JSON for machines: one object a line, 64-bit ids as decimal strings. */
export function printJson(value: unknown): void {
  printLine(JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item)))
}

/** A progress line on a terminal, rewritten in place; silent elsewhere. */
export class ProgressLine {
  private readonly stream = process.stderr
  private shown = false

  show(text: string): void {
    if (!this.stream.isTTY) return
    this.stream.write(`\r\x1b[2K${text}`)
    this.shown = true
  }

  clear(): void {
    if (this.shown) this.stream.write('\r\x1b[2K')
    this.shown = false
  }
}
