/**
 * Reads YAML text into nodes that know their place. Owns what protects against hostile files:
 *
 * - S1  A file is at most {@link fileBytesMax} long, has one document, and refers to anchors at most {@link aliasesMax}
 *       times.
 * - S2  Each look at a node counts; past {@link nodeVisitsMax} reading stops with a problem. Aliases that multiply ("a
 *       billion laughs") end there, however they are nested.
 * - S3  A key that stands twice in one map is refused: YAML 1.2 §3.2.1.3.
 * - S4  Nothing throws; what `yaml` throws (a stack that is too deep) becomes a problem.
 */
import {
  type Alias,
  type Document,
  type ErrorCode,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import { formatPath, type Path, type Problem } from '../problem.ts'

export const fileBytesMax = 1024 * 1024
export const aliasesMax = 1_000
export const nodeVisitsMax = 400_000
export const problemsMax = 100
const mergeDepthMax = 8

/** A node after its aliases are followed; null where nothing is written. */
export type Value = Scalar | YAMLMap | YAMLSeq | null

export interface Entry {
  readonly key: string
  readonly value: unknown
  /** For problems with the key itself. */
  readonly keyNode: unknown
}

/** One file being read: its nodes, and what is wrong with them so far. */
export class YamlSource {
  readonly problems: Problem[] = []
  readonly warnings: Problem[] = []
  readonly root: Value
  /** Where parts of what was read stand, for checks that come after reading. */
  private readonly places = new WeakMap<object, Path>()
  private readonly lines = new LineCounter()
  private readonly targets = new Map<Alias, Node>()
  private visits = 0
  /** True once a bound was passed: what follows is not read, and not complained about. */
  private exhausted = false

  constructor(text: string) {
    this.root = this.open(text)
  }

  /** Follows aliases. `node` is whatever stands in a map or list. */
  follow(node: unknown): Value {
    if (++this.visits > nodeVisitsMax) {
      this.exhaust(`the file expands to more than ${nodeVisitsMax} values: use fewer aliases`)
      return null
    }
    if (isAlias(node)) {
      const target = this.targets.get(node)
      return target === undefined || isAlias(target) ? null : this.follow(target)
    }
    if (isMap(node) || isSeq(node) || isScalar(node)) return node
    return null
  }

  /** Whether something is written at just this path. */
  has(path: Path): boolean {
    let node: Value = this.root
    for (const part of path) {
      const next = step(node, part)
      if (next === undefined) return false
      node = this.targetOf(next.value)
    }
    return true
  }

  /** Remembers where `part` stands. */
  placed<T extends object>(part: T, at: Path): T {
    this.places.set(part, at)
    return part
  }

  placeOf(part: object): Path {
    return this.places.get(part) ?? []
  }

  get isExhausted(): boolean {
    return this.exhausted
  }

  /** The entries of a map with `<<` merged in: what stands in the map itself comes first. */
  entries(map: YAMLMap, at: Path, depth = 0): Entry[] {
    const entries = new Map<string, Entry>()
    const merged: unknown[] = []
    for (const pair of map.items) {
      const key = this.keyText(pair.key)
      if (key === undefined) {
        this.report(at, 'has a key that is not text: write it as text', pair.key)
      } else if (key === '<<') {
        merged.push(pair.value)
      } else if (entries.has(key)) {
        this.report([...at, key], 'stands here a second time: keep one of the two', pair.key)
      } else {
        entries.set(key, { key, value: pair.value, keyNode: pair.key })
      }
    }
    for (const source of merged) this.merge(source, at, entries, depth)
    return [...entries.values()]
  }

  /** What stands at `path`, or the nearest thing around it, as an offset into the text. */
  report(path: Path, message: string, node?: unknown): void {
    this.add(this.problems, path, message, node)
  }

  warn(path: Path, message: string): void {
    this.add(this.warnings, path, message, undefined)
  }

  private open(text: string): Value {
    if (text.length > fileBytesMax) {
      this.exhaust(`the file is longer than ${fileBytesMax / 1024 / 1024} MiB`)
      return null
    }
    try {
      const documents = parseAllDocuments(text, {
        lineCounter: this.lines,
        uniqueKeys: false,
        prettyErrors: false,
        version: '1.2',
        logLevel: 'silent',
      })
      const first: Document | undefined = Array.isArray(documents) ? documents[0] : undefined
      if (first === undefined || first.contents === null) {
        this.problems.push({ line: 1, column: 1, path: '', message: 'the file is empty' })
        return null
      }
      for (const problem of [...first.errors, ...first.warnings])
        this.addAt(this.problems, '', yamlWords(problem), problem.pos[0])
      if (documents.length > 1)
        this.addAt(this.problems, '', 'a second document begins here: write one document', documents[1]!.range[0])
      if (first.errors.length > 0) this.exhausted = true
      this.collectAnchors(first)
      return this.follow(first.contents)
    } catch (error) {
      this.exhaust(
        `the file cannot be read: ${error instanceof RangeError ? 'it is nested too deeply' : (error as Error).message}`,
      )
      return null
    }
  }

  /** YAML 1.2 §3.2.2.2: an alias means the nearest node before it that has its anchor. */
  private collectAnchors(document: Document): void {
    const anchors = new Map<string, Node>()
    visit(document, (_key, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source)
        if (target !== undefined) this.targets.set(node, target)
        else
          this.addAt(
            this.problems,
            '',
            `begins with *, which is an alias in YAML, and there is no anchor &${node.source} before it: if text was meant, put it in quotes: '*${node.source}'`,
            offsetOf(node) ?? 0,
          )
        if (this.targets.size > aliasesMax) {
          this.exhaust(`the file has more than ${aliasesMax} aliases`)
          return visit.BREAK
        }
      } else if (!isPair(node) && (isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
        anchors.set(node.anchor, node)
      }
      return undefined
    })
  }

  private merge(source: unknown, at: Path, into: Map<string, Entry>, depth: number): void {
    const value = this.follow(source)
    if (this.exhausted) return
    if (depth >= mergeDepthMax) this.report(at, `merges (<<) are nested deeper than ${mergeDepthMax}`)
    else if (isSeq(value)) for (const item of value.items) this.merge(item, at, into, depth + 1)
    else if (isMap(value)) {
      for (const entry of this.entries(value, at, depth + 1)) if (!into.has(entry.key)) into.set(entry.key, entry)
    } else this.report([...at, '<<'], 'must be a map, or a list of maps, to be merged')
  }

  private keyText(key: unknown): string | undefined {
    const node = this.follow(key)
    return isScalar(node) && node.value !== null ? sourceText(node) : undefined
  }

  private add(list: Problem[], path: Path, message: string, node: unknown): void {
    if (this.exhausted && list === this.problems && list.length > 0) return
    this.addAt(list, formatPath(path), message, offsetOf(node) ?? this.offsetAt(path))
  }

  private addAt(list: Problem[], path: string, message: string, offset: number): void {
    const { line, col } = this.lines.linePos(offset)
    const place = { line: Math.max(1, line), column: Math.max(1, col), path }
    if (list.length === problemsMax) list.push({ ...place, message: `and more: only ${problemsMax} are shown` })
    else if (list.length < problemsMax) list.push({ ...place, message })
  }

  private exhaust(message: string): void {
    if (this.exhausted) return
    this.exhausted = true
    this.problems.push({ line: 1, column: 1, path: '', message })
  }

  private offsetAt(path: Path): number {
    let node: Value = this.root
    let offset = offsetOf(node) ?? 0
    for (const part of path) {
      const next: { place: unknown; value: unknown } | undefined = step(node, part)
      if (next === undefined) break
      offset = offsetOf(next.value) ?? offsetOf(next.place) ?? offset
      node = this.targetOf(next.value)
    }
    return offset
  }

  private targetOf(node: unknown): Value {
    return (isAlias(node) ? (this.targets.get(node) ?? null) : node) as Value
  }
}

function step(node: Value, part: string | number): { place: unknown; value: unknown } | undefined {
  if (isSeq(node) && typeof part === 'number') return { place: node.items[part], value: node.items[part] }
  if (!isMap(node)) return undefined
  const pair = node.items.find((item) => isScalar(item.key) && sourceText(item.key) === String(part))
  return pair === undefined ? undefined : { place: pair.key, value: pair.value }
}

/** A scalar as it was written, without quotes: `1.20` stays `1.20`. */
export function sourceText(node: Scalar): string {
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}

function offsetOf(node: unknown): number | undefined {
  if (!isScalar(node) && !isMap(node) && !isSeq(node) && !isAlias(node)) return undefined
  // An empty value has a range of no length somewhere after its key: the key is the better place.
  if (isScalar(node) && node.value === null && node.source === '') return undefined
  return node.range?.[0]
}

/** What mistakes of the kind are mostly made of. */
const yamlHelp: Readonly<Partial<Record<ErrorCode, string>>> = {
  BAD_INDENT: 'lines that belong together begin at the same column',
  BLOCK_AS_IMPLICIT_KEY:
    'lines that belong together begin at the same column, and each key stands on a line of its own',
  BLOCK_IN_FLOW: 'is a ] or } missing?',
  MISSING_CHAR: 'is a quote, a bracket, a comma, or the "- " of an item missing?',
  MULTILINE_IMPLICIT_KEY: 'is the space after a colon missing (address: 127.0.0.1:80), or the colon of a key?',
  TAB_AS_INDENT: 'use spaces',
  UNEXPECTED_TOKEN: 'is a quote missing around a text with special characters?',
}

function yamlWords({ code, message }: { readonly code: ErrorCode; readonly message: string }): string {
  const help = yamlHelp[code]
  return `is not YAML: ${message.replace(/\s+/g, ' ')}${help === undefined ? '' : `; ${help}`}`
}
