/**
 * A regular expression without the `i` flag that matches the same: each letter becomes a class of its two forms. V8 can
 * run expressions in linear time once they backtrack too much (the flag in node-flags.mjs), but not those with `i`.
 */

/** The same as `regex` with both forms of ASCII letters; `regex` itself where that cannot be written (it has `\x41`, say). */
export function withoutIgnoreCase(regex: RegExp): RegExp {
  const { source, flags } = regex
  if (!flags.includes('i')) return regex
  const written = bothForms(source)
  return written === undefined ? regex : new RegExp(written, flags.replace('i', ''))
}

/** `(?-i:text)`, with no group or class within: capitals matter in it. */
const exactGroup = /^\(\?-i:((?:\\[^a-zA-Z0-9]|[^()[\]\\])*)\)/

function bothForms(source: string): string | undefined {
  let out = ''
  let at = 0
  let isInClass = false
  while (at < source.length) {
    const exact = isInClass ? null : exactGroup.exec(source.slice(at))
    if (exact !== null) {
      out += `(?:${exact[1]})`
      at += exact[0].length
      continue
    }
    const piece = pieceAt(source, at, isInClass)
    if (piece === undefined) return undefined
    at += piece.length
    if (piece === '[') isInClass = true
    else if (piece === ']') isInClass = false
    if (piece.length === 1) out += letter(piece, isInClass)
    else out += isInClass && piece[0] !== '\\' ? range(piece) : piece
  }
  return out
}

/** What stands together: an escape, the beginning of a named group, a range of a class, or one character. */
function pieceAt(source: string, at: number, isInClass: boolean): string | undefined {
  const rest = source.slice(at, at + 64)
  if (rest[0] === '\\') {
    // What a group caught is found again in either form, which has no other way to be said.
    return /^\\[xucpPk1-9]/.test(rest) ? undefined : rest.slice(0, 2)
  }
  // Other modifiers (ECMA-262 §22.2.1): `(?i:x)`.
  if (!isInClass && /^\(\?[a-z]*-?[a-z]+:/.test(rest)) return undefined
  if (!isInClass) return /^\(\?<\w+>/.exec(rest)?.[0] ?? rest[0]
  if (!/^[^\]]-[^\]\\]/.test(rest)) return rest[0]
  const found = rest.slice(0, 3)
  // A range that begins or ends among letters and does not stay there has no simple second form.
  return /^([a-z]-[a-z]|[A-Z]-[A-Z]|[^a-zA-Z]-[^a-zA-Z])$/.test(found) && !spansLetters(found) ? found : undefined
}

function spansLetters(found: string): boolean {
  return !/^[a-zA-Z]/.test(found) && found[0]! < 'A' !== found[2]! < 'A'
}

function range(piece: string): string {
  if (!/^[a-zA-Z]/.test(piece)) return piece
  return piece + (piece[0]! >= 'a' ? piece.toUpperCase() : piece.toLowerCase())
}

function letter(char: string, isInClass: boolean): string {
  if (!/[a-zA-Z]/.test(char)) return char
  const both = char.toLowerCase() + char.toUpperCase()
  return isInClass ? both : `[${both}]`
}
