/**
 * Writes the table of `docs/traffic/balancing.md` and its pictures from a simulation of all balancing policies.
 * `node scripts/balancing-page.ts` rewrites them, with `--check` it fails when it would.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { balancePolicies } from '../src/core/balance/index.ts'
import { drawBars } from './balancing-pictures.ts'
import { type Contestant, type Figures, measure } from './balancing-simulation.ts'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs', 'traffic', 'balancing.md')
const pictures = join(root, 'docs', 'pictures')
const [begin, end] = ['<!-- generated: figures -->', '<!-- end -->'] as const

const contestants: readonly Contestant[] = balancePolicies.flatMap((policy) => {
  const plain = { title: policy, policy, boundedLoadFactor: 0 }
  return policy === 'ring-hash' ? [plain, { title: 'ring-hash, bound 1.25', policy, boundedLoadFactor: 1.25 }] : [plain]
})

function table(figures: readonly Figures[]): string {
  const rows = figures.map((each) => {
    const moved = each.movedPercent === undefined ? '' : `${each.movedPercent.toFixed(1)}%`
    const cells = [
      `\`${each.title}\``,
      each.spread.toFixed(2),
      each.hotSpread.toFixed(2),
      `${each.slowPercent.toFixed(1)}%`,
      each.p50Ms.toFixed(1),
      each.p99Ms.toFixed(0),
      each.recovery === undefined ? '' : `${each.recovery.backAfterSeconds.toFixed(1)} s`,
      moved,
    ]
    return `| ${cells.join(' | ')} |`
  })
  return [
    '| policy | spread | spread, hot clients | to the slow one | p50 ms | p99 ms | back after | clients moved |',
    '|---|---|---|---|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function latencyPicture(figures: readonly Figures[]): string {
  return drawBars({
    title: 'Time to answer with one endpoint of ten ten times as slow',
    subtitle: 'bar: 99th percentile, mark: median; milliseconds',
    bars: figures.map(({ title, p50Ms, p99Ms }) => ({
      title,
      value: p99Ms,
      label: `${p99Ms.toFixed(0)}`,
      mark: p50Ms,
    })),
    max: Math.max(...figures.map(({ p99Ms }) => p99Ms)),
  })
}

function spreadPicture(figures: readonly Figures[]): string {
  return drawBars({
    title: 'What the busiest endpoint gets when a few clients ask most',
    subtitle: 'in multiples of the mean; ten equal endpoints, 10,000 clients by Zipf’s law',
    bars: figures.map(({ title, hotSpread }) => ({ title, value: hotSpread, label: hotSpread.toFixed(2) })),
    max: Math.max(...figures.map(({ hotSpread }) => hotSpread)),
    reference: { value: 1, label: 'even' },
  })
}

function movedPicture(figures: readonly Figures[]): string {
  const hashing = figures.flatMap(({ title, movedPercent }) =>
    movedPercent === undefined ? [] : [{ title, movedPercent }],
  )
  return drawBars({
    title: 'Clients who go elsewhere when one endpoint of ten leaves',
    subtitle: 'percent of 10,000 clients',
    bars: hashing.map(({ title, movedPercent }) => ({
      title,
      value: movedPercent,
      label: `${movedPercent.toFixed(1)}%`,
    })),
    max: 100,
    reference: { value: 10, label: 'its tenth' },
  })
}

/** What each file ought to hold. */
function currentFiles(): Map<string, string> {
  const figures = contestants.map(measure)
  const text = readFileSync(page, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${page} has no place for the figures: ${begin} … ${end}`)
  return new Map([
    [page, `${text.slice(0, from + begin.length)}\n${table(figures)}\n${text.slice(to)}`],
    [join(pictures, 'balancing-latency.svg'), latencyPicture(figures)],
    [join(pictures, 'balancing-spread.svg'), spreadPicture(figures)],
    [join(pictures, 'balancing-moved.svg'), movedPicture(figures)],
  ])
}

/** The files that are not as the simulation says, by their paths in the repository. */
export function outdatedFiles(): string[] {
  return [...currentFiles()]
    .filter(([file, text]) => !existsSync(file) || readFileSync(file, 'utf8') !== text)
    .map(([file]) => relative(root, file))
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) for (const [file, text] of currentFiles()) writeFileSync(file, text)
  else {
    const outdated = outdatedFiles()
    for (const file of outdated) process.stderr.write(`${file} is out of date: run node scripts/balancing-page.ts\n`)
    if (outdated.length > 0) process.exitCode = 1
  }
}
