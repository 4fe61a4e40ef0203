/**
 * Checks the house rules that neither the compiler nor Biome knows. Prints `file:line what: why` for each breach and
 * exits with 1 when there is one. `node scripts/check-house.ts [root]`.
 *
 * - Floors: a file imports from its own floor and lower ones; `core` only from `base` and `core`.
 * - Faces: another folder is imported through its `index.ts`. A folder is a floor, or a subfolder of one. The files that
 *   lie directly in a floor (`core/replicated-log.ts`) are open to that floor's subfolders.
 * - The outside world (clocks, timers, randomness, files, sockets, `process`) is touched in `runtime/node` and `cli`
 *   only; `node/` and `proxy/processes` may use `process` and `node:child_process` besides. Test files, contract suites (`runtime/contracts`)
 *   and `verify/` are free in this, since they set up real files and processes; not in what they import. Test code is
 *   `*.test.ts` and what lies in a `testing` folder or a file of that name; it may import the test support of other folders.
 * - A file of more than 500 lines holds a second concern. Tests, `testdata/` and `generated/` are free.
 * - No file or folder called utils, helpers, manager, common or misc; no to-do marks.
 * - No download address in the lock file.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const floors = [
  'base',
  'core',
  'runtime',
  'storage',
  'engine',
  'wire',
  'node',
  'client',
  'traffic',
  'rpc',
  'proxy',
  'verify',
  'cli',
]
const linesMax = 500
const vagueName = /(^|[-.])(utils?|helpers?|managers?|common|misc)([-.]|$)/
// Split, so that this line is not a breach of itself.
const toDoMark = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`)

interface OutsideRule {
  readonly pattern: RegExp
  readonly what: string
  readonly instead: string
  /** Where else than in `runtime/node` and `cli` it may stand. */
  readonly alsoIn?: RegExp
}

const outsideRules: readonly OutsideRule[] = [
  { pattern: /(?<![.\w])Date\b(?!\s*:)/, what: 'Date', instead: 'take a Clock' },
  { pattern: /\bMath\.random\b/, what: 'Math.random', instead: 'take a Random' },
  {
    pattern: /(?<![.\w])(setTimeout|setInterval|setImmediate|queueMicrotask)\b/,
    what: 'a timer',
    instead: 'take a Scheduler',
    // The simulation drains promise reactions between events.
    alsoIn: /^runtime\/simulation\/turns\.ts$/,
  },
  { pattern: /(?<![.\w])performance\b(?!\s*:)/, what: 'performance', instead: 'take a Clock' },
  {
    pattern: /(?<![.\w])process\s*\.(?=\s*\w)/,
    what: 'process',
    instead: 'take a capability or an option',
    alsoIn: /^(node\/|proxy\/processes\/|runtime\/simulation\/turns\.ts$)/,
  },
]

const outsideModules: readonly { readonly pattern: RegExp; readonly instead: string; readonly alsoIn?: RegExp }[] = [
  { pattern: /^(node:)?fs(\/.*)?$/, instead: 'take a Disk' },
  { pattern: /^(node:)?sqlite$/, instead: 'take a Disk' },
  { pattern: /^(node:)?(net|tls|dgram|dns|http|https|http2)(\/.*)?$/, instead: 'take a Network' },
  { pattern: /^(node:)?timers(\/.*)?$/, instead: 'take a Scheduler' },
  { pattern: /^(node:)?perf_hooks$/, instead: 'take a Clock' },
  {
    pattern: /^(node:)?(child_process|worker_threads|cluster|process|os)$/,
    instead: 'leave it to node/ or cli/',
    alsoIn: /^(node|proxy\/processes)\//,
  },
]

const outsideAllowed = /^(runtime\/(node|contracts)|cli|verify)\//

interface Source {
  /** Relative to `src`. */
  readonly path: string
  /** As in the file, and of the same length with comments, and then strings too, turned into blanks. */
  readonly text: string
  readonly withoutComments: string
  readonly code: string
}

const root = resolve(process.argv[2] ?? join(import.meta.dirname, '..'))
const breaches: string[] = []

function report(file: string, line: number, what: string): void {
  breaches.push(`${file}:${line} ${what}`)
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length
}

/** Blanks comments, and strings where `strings` says so. What stands in a template's `${…}` stays code. */
function blank(text: string, strings: boolean): string {
  const out = [...text]
  const erase = (from: number, to: number): void => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  /** Depth of braces at which each open template's `${` began. */
  const templates: number[] = []
  let depth = 0
  let significant = ''
  for (let i = 0; i < text.length; ) {
    const start = i
    const char = text[i]!
    const two = text.slice(i, i + 2)
    if (two === '//') {
      i = endOr(text.indexOf('\n', i), text.length)
      erase(start, i)
      continue
    }
    if (two === '/*') {
      i = endOr(text.indexOf('*/', i + 2) + 2, text.length, 1)
      erase(start, i)
      continue
    }
    if (char === "'" || char === '"') {
      for (i++; i < text.length && text[i] !== char && text[i] !== '\n'; i++) if (text[i] === '\\') i++
      if (strings) erase(start + 1, i)
      i++
    } else if (char === '`' || (char === '}' && templates.at(-1) === depth)) {
      if (char === '}') templates.pop()
      for (i++; i < text.length && text[i] !== '`' && text.slice(i, i + 2) !== '${'; i++) if (text[i] === '\\') i++
      if (strings) erase(start + 1, i)
      if (text[i] === '`') i++
      else {
        templates.push(depth)
        i += 2
      }
    } else if (char === '/' && /[=(,:[!&|?{};+\n]$|^$|\breturn$/.test(significant)) {
      i = endOfRegExp(text, i)
      if (strings) erase(start + 1, i - 1)
    } else {
      if (char === '{') depth++
      if (char === '}') depth--
      i++
    }
    if (!/\s/.test(char)) significant = (significant + char).slice(-8)
  }
  return out.join('')
}

function endOfRegExp(text: string, start: number): number {
  let inClass = false
  let i = start + 1
  for (; i < text.length && text[i] !== '\n' && (inClass || text[i] !== '/'); i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '[') inClass = true
    else if (text[i] === ']') inClass = false
  }
  return i + 1
}

function endOr(index: number, otherwise: number, lowest = 0): number {
  return index <= lowest - 1 || index === -1 ? otherwise : index
}

function sourcesBelow(directory: string): Source[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name)
      const text = readFileSync(file, 'utf8')
      const path = relative(directory, file)
      return { path, text, withoutComments: blank(text, false), code: blank(text, true) }
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1))
}

/** The folder that a file belongs to and that others must enter by its face. */
function folderOf(path: string): string {
  const parts = path.split('/')
  // Each driver is a folder of its own, so that a program loads the one it uses.
  if (path.startsWith('client/drivers/') && parts.length > 3) return parts.slice(0, 3).join('/')
  return parts.length > 2 ? `${parts[0]}/${parts[1]}` : parts[0]!
}

interface ImportStatement {
  readonly specifier: string
  readonly line: number
}

function importsOf(source: Source): ImportStatement[] {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*(['"])([^'"\n]+)\1/g
  const found: ImportStatement[] = []
  for (const match of source.withoutComments.matchAll(pattern)) {
    // A keyword inside a string is blank in `code`.
    if (/^(from|import)/.test(source.code.slice(match.index))) {
      found.push({ specifier: match[2]!, line: lineAt(source.text, match.index) })
    }
  }
  return found
}

function checkImport(source: Source, { specifier, line }: ImportStatement): void {
  const file = `src/${source.path}`
  if (!specifier.startsWith('.')) {
    if (isFreeOfOutsideRules(source.path)) return
    const rule = outsideModules.find((each) => each.pattern.test(specifier))
    if (rule === undefined || rule.alsoIn?.test(source.path)) return
    report(file, line, `imports ${specifier}: only runtime/node and cli touch the outside world; ${rule.instead}`)
    return
  }
  const target = join(dirname(source.path), specifier)
  const from = source.path.split('/')[0]!
  const to = target.split('/')[0]!
  if (to === '..') {
    // The package's own file of facts is no code; tests that meet real peers ask where those are.
    const isPeers = target === '../conformance/peers.ts' && source.path.endsWith('.test.ts')
    if (!target.endsWith('.json') && !isPeers) report(file, line, `imports ${specifier}: it lies outside src`)
    return
  }
  if (!floors.includes(to)) report(file, line, `imports ${specifier}: ${to} is no floor`)
  else if (floors.indexOf(to) > floors.indexOf(from)) {
    report(
      file,
      line,
      `imports ${specifier}: ${from} lies below ${to}; a file imports only from its own or lower floors`,
    )
  }
  const folder = folderOf(target)
  const ownFloor = folder === from
  const testSupport = isTestCode(source.path) && isTestCode(target)
  if (!ownFloor && !testSupport && folder !== folderOf(source.path) && target !== `${folder}/index.ts`) {
    report(file, line, `imports ${specifier}: outside ${folder} only its face, ${folder}/index.ts, may be imported`)
  }
}

function checkOutsideWorld(source: Source): void {
  if (isFreeOfOutsideRules(source.path)) return
  for (const rule of outsideRules) {
    if (rule.alsoIn?.test(source.path)) continue
    for (const match of source.code.matchAll(new RegExp(rule.pattern, 'g'))) {
      const line = lineAt(source.text, match.index)
      report(
        `src/${source.path}`,
        line,
        `uses ${rule.what}: only runtime/node and cli touch the outside world; ${rule.instead}`,
      )
    }
  }
}

function isFreeOfOutsideRules(path: string): boolean {
  return outsideAllowed.test(path) || isTestCode(path)
}

/** Tests, and what only they import. */
function isTestCode(path: string): boolean {
  return path.endsWith('.test.ts') || /(^|\/)testing(\/|\.ts$)/.test(path)
}

function checkSize(source: Source): void {
  if (/\.test\.ts$|(^|\/)(testdata|generated)\//.test(source.path)) return
  const lines = source.text.split('\n').length - 1
  if (lines > linesMax)
    report(`src/${source.path}`, linesMax + 1, `has ${lines} lines: past ${linesMax}, find the second concern`)
}

function checkNames(source: Source): void {
  for (const part of source.path.split('/')) {
    if (vagueName.test(part)) report(`src/${source.path}`, 1, `is called ${part}: name what it is about`)
  }
}

function checkMarks(file: string, text: string): void {
  text.split('\n').forEach((line, index) => {
    const mark = toDoMark.exec(line)
    if (mark !== null) report(file, index + 1, `has ${mark[0]}: do it now, or open an issue`)
  })
}

function checkLockFile(): void {
  const file = join(root, 'package-lock.json')
  if (!existsSync(file)) return
  readFileSync(file, 'utf8')
    .split('\n')
    .forEach((line, index) => {
      if (!/"resolved": "https?:/.test(line)) return
      report('package-lock.json', index + 1, 'names a download address: install with the .npmrc of this repository')
    })
}

const sources = sourcesBelow(join(root, 'src'))
for (const source of sources) {
  for (const each of importsOf(source)) checkImport(source, each)
  checkOutsideWorld(source)
  checkSize(source)
  checkNames(source)
  checkMarks(`src/${source.path}`, source.text)
}
checkLockFile()

for (const breach of breaches) process.stdout.write(`${breach}\n`)
process.stdout.write(`check-house: ${sources.length} files, ${breaches.length} breaches\n`)
if (breaches.length > 0) process.exitCode = 1
