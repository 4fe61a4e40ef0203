/**
 * `text` with control characters, and those that turn its direction, written as `\u001b`: what a damaged file holds must
 * not command the terminal that shows it.
 */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** A file that cannot be read as a history. `line` counts from 1; absent if no line is to blame. */
export class FormatError extends Error {
  override readonly name = 'FormatError'
  readonly line: number | undefined

  constructor(message: string, line?: number) {
    super(escapeControls(line === undefined ? message : `line ${line}: ${message}`))
    this.line = line
  }
}
