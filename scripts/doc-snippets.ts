/**
 * TypeScript in Markdown, as programs. The info string of a fenced block says what it is:
 *
 *     ts              begins a program
 *     ts continues    goes on with the program of the block before
 *     ts no-run       begins a program that is compiled only, for it needs a server, or shows another library
 *     output          what the program prints, all `output` blocks of it together; `…` stands for anything in a line;
 *                     after `sh`, what those commands print, which is not looked at here
 *
 * What readers need not see, such as a stand-in for their own code, stands in a comment: `<!-- ts`, or `<!-- ts continues`,
 * up to a line `-->`.
 */
import { readFileSync } from 'node:fs'

/** A block of YAML: on the pages of the proxy, a whole configuration. */
export interface YamlSnippet {
  readonly page: string
  /** Of the fence, from 1. */
  readonly line: number
  readonly text: string
}

export function readYamlSnippets(page: string): YamlSnippet[] {
  return [...fencedBlocks(readFileSync(page, 'utf8'))]
    .filter(({ info }) => info === 'yaml')
    .map(({ line, body }) => ({ page, line, text: body.join('\n') }))
}

export interface SnippetProgram {
  /** The Markdown file. */
  readonly page: string
  /** Of the first block, from 1. */
  readonly line: number
  /** Each line stands where it stands on the page, so that places in messages are places on the page. */
  readonly code: string
  readonly isRun: boolean
  /** What it prints, as the page shows it; undefined: the page does not show it. */
  readonly output: string | undefined
}

interface Draft {
  readonly line: number
  readonly lines: string[]
  readonly isRun: boolean
  output: string[] | undefined
}

export function readSnippets(page: string): SnippetProgram[] {
  const drafts: Draft[] = []
  let isOfShell = false
  for (const { info, line, body } of fencedBlocks(readFileSync(page, 'utf8'))) {
    const here = `${page}:${line}`
    const last = drafts.at(-1)
    if (info === 'sh') isOfShell = true
    else if (info.startsWith('ts')) isOfShell = false
    if (info === 'output') {
      if (isOfShell) continue
      if (last === undefined) throw new Error(`${here}: output of no program`)
      last.output = [...(last.output ?? []), ...body]
    } else if (info === 'ts continues') {
      if (last === undefined) throw new Error(`${here}: there is no program to continue`)
      place(last.lines, line, body)
    } else if (info === 'ts' || info === 'ts no-run') {
      const lines: string[] = []
      place(lines, line, body)
      drafts.push({ line, lines, isRun: info === 'ts', output: undefined })
    } else if (/^(ts|typescript)\b/.test(info)) throw new Error(`${here}: "${info}" is no kind of snippet`)
  }
  return drafts.map(({ line, lines, isRun, output }) => ({
    page,
    line,
    code: `${lines.join('\n')}\nexport {}\n`,
    isRun,
    output: output?.join('\n'),
  }))
}

/** `line` is that of the fence. */
function place(lines: string[], line: number, body: readonly string[]): void {
  while (lines.length < line) lines.push('')
  lines.push(...body)
}

function* fencedBlocks(text: string): Generator<{ info: string; line: number; body: string[] }> {
  const lines = text.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const [, opening, info] = /^(```|<!-- (?=ts\b))(.*)$/.exec(lines[i]!) ?? []
    if (opening === undefined || info === undefined) continue
    const from = i + 1
    const closing = opening === '```' ? '```' : '-->'
    while (++i < lines.length && lines[i] !== closing);
    yield { info: info.trim(), line: from, body: lines.slice(from, i) }
  }
}

/** Whether `printed` is what `shown` says. */
export function isAsShown(printed: string, shown: string): boolean {
  const pattern = shown
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^\\n]*')
  return new RegExp(`^${pattern}$`).test(printed.trimEnd())
}
