/**
 * nginx's configuration language: words, quotes, comments, blocks. As `ngx_conf_read_token` of nginx 1.22 reads it.
 *
 * ```
 * directive = word *word ( ";" / "{" *directive "}" )
 * word      = bare / "'" … "'" / '"' … '"'      ; `\` takes the next character as it is
 * comment   = "#" … end of line, where a word could begin
 * ```
 */

export interface Directive {
  readonly name: string
  readonly args: readonly string[]
  /** What stands in braces; undefined where a `;` ends it. */
  readonly block: readonly Directive[] | undefined
  readonly file: string
  /** From 1. */
  readonly line: number
}

/** The file is no nginx configuration; the message names file and line. */
export interface SyntaxProblem {
  readonly file: string
  readonly line: number
  readonly message: string
}

export const nginxFileBytesMax = 1024 * 1024
const directivesMax = 100_000
const depthMax = 32
const wordsMax = 10_000

interface Token {
  readonly type: 'word' | ';' | '{' | '}'
  readonly text: string
  readonly line: number
}

class SyntaxFailure extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** Reads one file, without its includes. Never throws. */
export function parseNginx(text: string, file: string): readonly Directive[] | SyntaxProblem {
  if (text.length > nginxFileBytesMax) return { file, line: 1, message: 'is larger than 1 MiB' }
  try {
    const reader = new Reader(tokens(text), file)
    return reader.directives(0)
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error
    return { file, line: error.line, message: error.message }
  }
}

export function isSyntaxProblem(value: readonly Directive[] | SyntaxProblem): value is SyntaxProblem {
  return 'message' in value
}

class Reader {
  private count = 0
  private readonly file: string
  private readonly source: Iterator<Token>

  constructor(source: Iterator<Token>, file: string) {
    this.source = source
    this.file = file
  }

  directives(depth: number): Directive[] {
    const found: Directive[] = []
    let words: Token[] = []
    for (let next = this.source.next(); !next.done; next = this.source.next()) {
      const token = next.value
      if (token.type === 'word') {
        words.push(token)
        if (words.length > wordsMax)
          throw new SyntaxFailure(token.line, `has more than ${wordsMax} words in one directive`)
        continue
      }
      if (token.type === '}') {
        if (words.length > 0) throw new SyntaxFailure(token.line, `lacks ";" before "}"`)
        if (depth === 0) throw new SyntaxFailure(token.line, 'has a "}" that opens nowhere')
        return found
      }
      const [name, ...args] = words
      if (name === undefined) throw new SyntaxFailure(token.line, `has a "${token.type}" without a directive`)
      if (++this.count > directivesMax) throw new SyntaxFailure(token.line, `has more than ${directivesMax} directives`)
      if (token.type === '{' && depth >= depthMax)
        throw new SyntaxFailure(token.line, `is nested deeper than ${depthMax}`)
      const block = token.type === '{' ? this.directives(depth + 1) : undefined
      found.push({ name: name.text, args: args.map(({ text }) => text), block, file: this.file, line: name.line })
      words = []
    }
    if (words.length > 0) throw new SyntaxFailure(words[0]!.line, `lacks ";" or "{" after ${words[0]!.text}`)
    if (depth > 0) throw new SyntaxFailure(1, 'ends within a block: a "}" is missing')
    return found
  }
}

function* tokens(text: string): Generator<Token, void> {
  let line = 1
  let at = 0
  while (at < text.length) {
    const char = text[at]!
    if (char === '\n') line++
    if (/\s/.test(char)) at++
    else if (char === '#') {
      const end = text.indexOf('\n', at)
      at = end === -1 ? text.length : end
    } else if (char === ';' || char === '{' || char === '}') {
      yield { type: char, text: char, line }
      at++
    } else {
      const word = char === '"' || char === "'" ? quoted(text, at, line) : bare(text, at)
      yield { type: 'word', text: word.text, line }
      line += text.slice(at, word.end).split('\n').length - 1
      at = word.end
    }
  }
}

function quoted(text: string, start: number, line: number): { readonly text: string; readonly end: number } {
  const quote = text[start]!
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]!
    if (char === quote) {
      const after = text[at + 1]
      if (after !== undefined && !/[\s;{)]/.test(after))
        throw new SyntaxFailure(line, `has ${JSON.stringify(after)} right after a quote`)
      return { text: value, end: at + 1 }
    }
    const [part, length] = char === '\\' ? escaped(text, at) : [char, 1]
    value += part
    at += length - 1
  }
  throw new SyntaxFailure(line, 'has a quote that does not end')
}

function bare(text: string, start: number): { readonly text: string; readonly end: number } {
  let value = ''
  let at = start
  while (at < text.length) {
    const char = text[at]!
    // `${name}` is a variable: its brace opens no block.
    if (char === '$' && text[at + 1] === '{') {
      const end = text.indexOf('}', at)
      if (end !== -1) {
        value += text.slice(at, end + 1)
        at = end + 1
        continue
      }
    }
    if (/[\s;{]/.test(char)) break
    const [part, length] = char === '\\' ? escaped(text, at) : [char, 1]
    value += part
    at += length
  }
  return { text: value, end: at }
}

/** nginx takes the backslash out before quotes and itself, makes `\t \r \n` control characters, and keeps it elsewhere. */
function escaped(text: string, at: number): readonly [string, number] {
  const next = text[at + 1]
  if (next === undefined) return ['\\', 1]
  if (next === '"' || next === "'" || next === '\\') return [next, 2]
  const control = { t: '\t', r: '\r', n: '\n' }[next]
  return [control ?? `\\${next}`, 2]
}
