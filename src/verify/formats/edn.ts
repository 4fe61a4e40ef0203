/** Reads EDN (extensible data notation): what Clojure programs write their data in. */

export type Edn =
  | { readonly kind: 'nil' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** As written: whole numbers may be larger than a double holds. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'character'; readonly value: string }
  /** Without the colon. */
  | { readonly kind: 'keyword'; readonly name: string }
  | { readonly kind: 'symbol'; readonly name: string }
  | { readonly kind: 'vector' | 'list' | 'set'; readonly items: readonly Edn[] }
  /** `line` is where it begins. */
  | { readonly kind: 'map'; readonly pairs: readonly (readonly [Edn, Edn])[]; readonly line: number }
  | { readonly kind: 'tagged'; readonly tag: string; readonly value: Edn }

/** Text that is not EDN; `line` counts from 1. */
export class EdnError extends Error {
  override readonly name = 'EdnError'
  readonly line: number

  constructor(message: string, line: number) {
    super(message)
    this.line = line
  }
}

export interface PlacedEdn {
  readonly value: Edn
  readonly line: number
}

/** Elements inside one another, no deeper: a damaged file must not exhaust the stack. */
const depthMax = 200

/** All top-level elements of `text`. Throws an EdnError. */
export function readEdn(text: string): PlacedEdn[] {
  const reader = new Reader(text)
  const values: PlacedEdn[] = []
  for (;;) {
    reader.skip()
    if (reader.atEnd) return values
    const line = reader.line
    values.push({ value: reader.read(0), line })
  }
}

const closing: Readonly<Record<string, string>> = { '[': ']', '(': ')', '{': '}' }
const namedCharacters: Readonly<Record<string, string>> = { newline: '\n', space: ' ', tab: '\t', return: '\r' }
const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f', '"': '"', '\\': '\\' }

class Reader {
  private readonly text: string
  private at = 0
  line = 1

  constructor(text: string) {
    this.text = text
  }

  get atEnd(): boolean {
    return this.at >= this.text.length
  }

  /** Goes past blanks, commas, comments and discarded elements. */
  skip(depth = 0): void {
    for (;;) {
      const char = this.text[this.at]
      if (char === undefined) return
      if (char === '\n') this.line++
      if (char === ';') {
        while (!this.atEnd && this.text[this.at] !== '\n') this.at++
      } else if (char === '#' && this.text[this.at + 1] === '_') {
        this.at += 2
        this.skip(depth)
        this.read(depth + 1)
      } else if (/[\s,\uFEFF]/.test(char)) this.at++
      else return
    }
  }

  read(depth: number): Edn {
    if (depth > depthMax) throw this.error(`elements lie deeper than ${depthMax} in one another`)
    const char = this.text[this.at]
    if (char === undefined) throw this.error('the text ends in the middle of an element')
    if (char === '[') return { kind: 'vector', items: this.items(depth) }
    if (char === '(') return { kind: 'list', items: this.items(depth) }
    const { line } = this
    if (char === '{') return { kind: 'map', pairs: this.pairs(this.items(depth)), line }
    if (char === '"') return { kind: 'string', value: this.string() }
    if (char === '\\') return this.character()
    if (char === '#') return this.dispatch(depth)
    if (')]}'.includes(char)) throw this.error(`"${char}" closes nothing`)
    return this.atom(this.token())
  }

  private items(depth: number): Edn[] {
    const openedAt = this.line
    const end = closing[this.text[this.at]!]!
    this.at++
    const items: Edn[] = []
    for (;;) {
      this.skip(depth)
      if (this.atEnd) throw new EdnError(`what is opened here is never closed by "${end}"`, openedAt)
      if (this.text[this.at] === end) {
        this.at++
        return items
      }
      items.push(this.read(depth + 1))
    }
  }

  private pairs(items: readonly Edn[]): (readonly [Edn, Edn])[] {
    if (items.length % 2 === 1) throw this.error('a map ends with a key that has no value')
    return Array.from({ length: items.length / 2 }, (_, i) => [items[2 * i]!, items[2 * i + 1]!] as const)
  }

  private string(): string {
    const openedAt = this.line
    let value = ''
    for (this.at++; ; this.at++) {
      const char = this.text[this.at]
      if (char === undefined) throw new EdnError('a string is never closed', openedAt)
      if (char === '"') {
        this.at++
        return value
      }
      if (char === '\n') this.line++
      value += char === '\\' ? this.escape() : char
    }
  }

  private escape(): string {
    const char = this.text[++this.at] ?? ''
    const hex = /^[0-9a-fA-F]{4}/.exec(this.text.slice(this.at + 1, this.at + 5))
    if (char === 'u' && hex !== null) {
      this.at += 4
      return String.fromCharCode(Number.parseInt(hex[0], 16))
    }
    const escaped = escapes[char]
    if (escaped === undefined) throw this.error(`"\\${char}" is no escape in a string`)
    return escaped
  }

  private character(): Edn {
    this.at++
    const first = this.text[this.at] ?? ''
    this.at++
    const name = first + (/[\w]/.test(first) ? this.token() : '')
    const code = /^u([0-9a-fA-F]{4})$/.exec(name)
    if (code !== null) return { kind: 'character', value: String.fromCharCode(Number.parseInt(code[1]!, 16)) }
    const value = name.length === 1 ? name : namedCharacters[name]
    if (value === undefined) throw this.error(`"\\${name}" is no character`)
    return { kind: 'character', value }
  }

  private dispatch(depth: number): Edn {
    this.at++
    if (this.text[this.at] === '{') return { kind: 'set', items: this.items(depth) }
    if (this.text[this.at] === '#') {
      const special = this.token()
      return { kind: 'symbol', name: `#${special}` }
    }
    const tag = this.token()
    if (tag === '') throw this.error('"#" stands before nothing')
    this.skip(depth)
    return { kind: 'tagged', tag, value: this.read(depth + 1) }
  }

  private token(): string {
    const start = this.at
    while (!this.atEnd && !/[\s,()[\]{}";]/.test(this.text[this.at]!)) this.at++
    return this.text.slice(start, this.at)
  }

  private atom(token: string): Edn {
    if (token === 'nil') return { kind: 'nil' }
    if (token === 'true' || token === 'false') return { kind: 'boolean', value: token === 'true' }
    if (token.startsWith(':') && token.length > 1) return { kind: 'keyword', name: token.slice(1) }
    if (/^[+-]?\d/.test(token)) {
      if (/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?[NM]?$|^[+-]?\d+\/\d+$/.test(token))
        return { kind: 'number', text: token.replace(/^\+|[NM]$/g, '') }
      throw this.error(`"${token}" is no number`)
    }
    if (/^[\w.*+!?$%&=<>/'|-][\w.*+!?$%&=<>:#/'|-]*$/.test(token)) return { kind: 'symbol', name: token }
    throw this.error(`"${token.slice(0, 40)}" is no element`)
  }

  private error(message: string): EdnError {
    return new EdnError(message, this.line)
  }
}

/** An element as text, the same for equal elements. */
export function printEdn(value: Edn): string {
  switch (value.kind) {
    case 'nil':
      return 'nil'
    case 'boolean':
      return String(value.value)
    case 'number':
      return value.text
    case 'string':
      return JSON.stringify(value.value)
    case 'character':
      return `\\${value.value}`
    case 'keyword':
      return `:${value.name}`
    case 'symbol':
      return value.name
    case 'vector':
      return `[${value.items.map(printEdn).join(' ')}]`
    case 'list':
      return `(${value.items.map(printEdn).join(' ')})`
    case 'set':
      return `#{${value.items.map(printEdn).sort().join(' ')}}`
    case 'map':
      return `{${value.pairs
        .map(([key, item]) => `${printEdn(key)} ${printEdn(item)}`)
        .sort()
        .join(', ')}}`
    case 'tagged':
      return `#${value.tag} ${printEdn(value.value)}`
  }
}

/** What stands in `map` under the keyword `name`; undefined if nothing does. */
export function field(map: Edn, name: string): Edn | undefined {
  if (map.kind !== 'map') return undefined
  return map.pairs.find(([key]) => key.kind === 'keyword' && key.name === name)?.[1]
}
