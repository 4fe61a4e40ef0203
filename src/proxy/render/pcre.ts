/** Regular expressions of JavaScript (ECMA-262 §22.2, without flags) as PCRE2 reads them (pcre2pattern(3)). */

/** Escapes that mean the same in both; any other letter after a backslash stands for itself in JavaScript. */
const sharedEscapes = new Set('bBcdDfknrsStvwWx')

/** What `source` is in PCRE, where bytes are compared: `\u00e9` becomes its bytes in UTF-8. */
export function pcreOf(source: string): string {
  let out = ''
  for (let at = 0; at < source.length; ) {
    const [taken, written] = source[at] === '[' ? classAt(source, at) : atomAt(source, at)
    out += written
    at += taken
  }
  return out
}

type Piece = readonly [taken: number, written: string]

function atomAt(source: string, at: number): Piece {
  const char = source[at]!
  if (char !== '\\') return [1, char]
  const next = source[at + 1] ?? ''
  const unicode = /^u([0-9A-Fa-f]{4})/.exec(source.slice(at + 1, at + 6))
  if (unicode !== null) return [6, bytesOf(String.fromCharCode(Number.parseInt(unicode[1]!, 16)))]
  if (next === '0') return [2, '\\x00']
  if (/[A-Za-z]/.test(next) && !sharedEscapes.has(next)) return [2, next]
  return [2, `\\${next}`]
}

/** `[]` and `[^]` are nothing and anything in JavaScript; in PCRE the bracket would be the first of the class. */
function classAt(source: string, start: number): Piece {
  const negated = source[start + 1] === '^'
  let at = start + (negated ? 2 : 1)
  if (source[at] === ']') return [at + 1 - start, negated ? '[\\s\\S]' : '(?!)']
  let out = negated ? '[^' : '['
  while (at < source.length && source[at] !== ']') {
    const [taken, written] = atomAt(source, at)
    // `[[:alpha:]]` would be a POSIX class.
    out += written === '[' ? '\\[' : written
    at += taken
  }
  return [at + 1 - start, `${out}]`]
}

function bytesOf(char: string): string {
  return [...Buffer.from(char, 'utf8')].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}
