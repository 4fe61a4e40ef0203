/** Reads the declaration files that the compiler emits: which names an entry point exports, and what stands there of each. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A statement of a file, or a member of an interface or a class. */
export interface Declared {
  /** The TSDoc comment right before it, without its stars; empty when there is none. */
  readonly doc: string
  /** Without its final semicolon. */
  readonly code: string
}

/** What a program can import by one name. Overloads of a function come together. */
export interface ExportedName {
  readonly name: string
  /** The declaration file. */
  readonly file: string
  readonly declarations: readonly Declared[]
}

const endsWithBrace = /^(export )?(declare )?(abstract )?(interface|class|namespace)\b/

/** The statements of a declaration file, or the members of a body: both end with semicolons. */
export function readDeclared(text: string): Declared[] {
  const found: Declared[] = []
  let doc = ''
  for (let i = 0; i < text.length; ) {
    const comment = commentAt(text, i)
    if (comment !== undefined) {
      if (comment.startsWith('/**')) doc = withoutStars(comment)
      i += comment.length
    } else if (/\s/.test(text[i]!)) i++
    else {
      const end = endOfStatement(text, i)
      found.push({ doc, code: text.slice(i, end).replace(/;$/, '').trim() })
      doc = ''
      i = end
    }
  }
  return found
}

function commentAt(text: string, at: number): string | undefined {
  if (text.startsWith('/*', at)) return text.slice(at, text.indexOf('*/', at) + 2)
  if (text.startsWith('//', at))
    return text.slice(at, (text.indexOf('\n', at) + text.length) % text.length || undefined)
  return undefined
}

function withoutStars(comment: string): string {
  return comment
    .slice(3, -2)
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim()
}

function endOfStatement(text: string, start: number): number {
  const isBraced = endsWithBrace.test(text.slice(start, start + 60))
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const char = text[i]!
    const comment = commentAt(text, i)
    if (comment !== undefined) i += comment.length - 1
    else if (char === "'" || char === '"' || char === '`') {
      for (i++; text[i] !== char; i++) if (text[i] === '\\') i++
    } else if ('({['.includes(char)) depth++
    else if (')}]'.includes(char)) {
      depth--
      if (depth === 0 && isBraced && char === '}') return i + 1
    } else if (char === ';' && depth === 0) return i + 1
  }
  return text.length
}

/** Which name a statement declares. */
function declaredName(code: string): string | undefined {
  const pattern = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|type|function|const|namespace) ([\w$]+)/
  return pattern.exec(code)?.[1]
}

/** Everything that the declaration file of an entry point exports, in its order. */
export function readExports(entry: string): ExportedName[] {
  const found: ExportedName[] = []
  for (const { code } of readDeclared(readFileSync(entry, 'utf8'))) {
    const [, , names, from] = /^export (type )?(\{[^}]*\}|\*) from '([^']+)'/.exec(code) ?? []
    const own = declaredName(code)
    if (names !== undefined && from !== undefined) {
      const all = readExports(join(dirname(entry), from.replace(/\.ts$/, '.d.ts')))
      if (names === '*') found.push(...all)
      else found.push(...namesIn(names).map((name) => called(all, name, from)))
    } else if (own !== undefined && code.startsWith('export ')) found.push(ownExport(entry, own))
  }
  return [...new Map(found.map((one) => [one.name, one])).values()]
}

function namesIn(list: string): string[] {
  return list
    .slice(1, -1)
    .split(',')
    .map((name) => name.trim().replace(/^type /, ''))
    .filter((name) => name !== '')
}

function called(all: readonly ExportedName[], listed: string, from: string): ExportedName {
  const [name, alias = name] = listed.split(' as ')
  const found = all.find((one) => one.name === name)
  if (found === undefined) throw new Error(`${from} does not export ${name}`)
  return { ...found, name: alias! }
}

function ownExport(file: string, name: string): ExportedName {
  const all = readDeclared(readFileSync(file, 'utf8'))
  return { name, file, declarations: all.filter(({ code }) => declaredName(code) === name) }
}

/** The members of an interface or a class, those that are private left out, and the line before them. */
export function readMembers(code: string): { readonly head: string; readonly members: Declared[] } | undefined {
  if (!endsWithBrace.test(code)) return undefined
  const open = openingBrace(code)
  const members = readDeclared(code.slice(open + 1, -1)).filter(({ code: member }) => !/^(private|#)/.test(member))
  return { head: code.slice(0, open).trim(), members }
}

/** Of the body: braces in type arguments come before it. */
function openingBrace(code: string): number {
  let depth = 0
  for (let i = 0; i < code.length; i++) {
    const char = code[i]!
    if (char === '<') depth++
    else if (char === '>' && code[i - 1] !== '=') depth--
    else if (char === '{' && depth === 0) return i
  }
  return code.length
}
