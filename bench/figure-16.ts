/**
 * Figure 16 of the Raft paper (extended version, §9.3): time without a leader against the range of election time-outs.
 *
 *     node bench/figure-16.ts [--trials 1000] [--svg docs/pictures/figure-16.svg]
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { electionDowntimeMs, type TimeoutRange } from '../src/verify/figures/index.ts'

interface Line extends TimeoutRange {
  /** What the paper's text says of it. */
  readonly paper: string
}

/** The upper plot varies the randomness, the lower one the length. */
const plots: readonly { readonly title: string; readonly lines: readonly Line[] }[] = [
  {
    title: 'How much randomness',
    lines: [
      { minMs: 150, maxMs: 150, paper: 'consistently more than 10 s' },
      { minMs: 150, maxMs: 151, paper: '' },
      { minMs: 150, maxMs: 155, paper: 'median 287 ms' },
      { minMs: 150, maxMs: 175, paper: '' },
      { minMs: 150, maxMs: 200, paper: 'worst 513 ms' },
      { minMs: 150, maxMs: 300, paper: '' },
    ],
  },
  {
    title: 'How long',
    lines: [
      { minMs: 12, maxMs: 24, paper: 'mean 35 ms, worst 152 ms' },
      { minMs: 25, maxMs: 50, paper: '' },
      { minMs: 50, maxMs: 100, paper: '' },
      { minMs: 100, maxMs: 200, paper: '' },
      { minMs: 150, maxMs: 300, paper: 'recommended' },
    ],
  },
]

interface Curve extends Line {
  /** Rising. */
  readonly downtimesMs: readonly number[]
}

function measure(line: Line, trials: number): Curve {
  const downtimesMs: number[] = []
  for (let i = 0; i < trials; i++) downtimesMs.push(electionDowntimeMs({ ...line, seed: String(i) }))
  return { ...line, downtimesMs: downtimesMs.sort((a, b) => a - b) }
}

const colours = ['#b2182b', '#ef8a62', '#c9a227', '#5aae61', '#2166ac', '#762a83']
const width = 640
const height = 300
const margin = { left: 56, right: 150, top: 34, bottom: 40 }

/** Cumulative percentage over downtime on a logarithmic axis, as in the paper. */
function drawPlot(title: string, curves: readonly Curve[], top: number): string {
  const [low, high] = [10, 100_000]
  const x = (ms: number): number =>
    margin.left +
    ((Math.log10(Math.max(low, ms)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))) *
      (width - margin.left - margin.right)
  const y = (share: number): number => top + height - margin.bottom - share * (height - margin.top - margin.bottom)
  const parts = [`<text x="${margin.left}" y="${top + 20}" font-weight="bold">${title}</text>`]
  for (const ms of [10, 100, 1000, 10_000, 100_000])
    parts.push(
      `<line x1="${x(ms)}" y1="${y(0)}" x2="${x(ms)}" y2="${y(1)}" stroke="#ddd"/><text x="${x(ms)}" y="${y(0) + 16}" text-anchor="middle">${ms} ms</text>`,
    )
  for (const share of [0, 0.5, 1])
    parts.push(
      `<line x1="${x(low)}" y1="${y(share)}" x2="${x(high)}" y2="${y(share)}" stroke="#ddd"/><text x="${margin.left - 8}" y="${y(share) + 4}" text-anchor="end">${share * 100}%</text>`,
    )
  for (const [i, { minMs, maxMs, downtimesMs }] of curves.entries()) {
    const points = downtimesMs
      .map((ms, at) => `${x(ms).toFixed(1)},${y((at + 1) / downtimesMs.length).toFixed(1)}`)
      .filter((_, at) => at % Math.ceil(downtimesMs.length / 200) === 0 || at === downtimesMs.length - 1)
    parts.push(`<polyline fill="none" stroke="${colours[i]}" stroke-width="2" points="${points.join(' ')}"/>`)
    parts.push(
      `<text x="${width - margin.right + 12}" y="${top + 50 + i * 18}" fill="${colours[i]}">${minMs}–${maxMs} ms</text>`,
    )
  }
  return parts.join('\n')
}

const { values } = parseArgs({ options: { trials: { type: 'string', default: '1000' }, svg: { type: 'string' } } })
const trials = Number(values.trials)
if (!Number.isInteger(trials) || trials < 1) throw new Error('--trials takes a whole number from 1 on')

const drawn: string[] = []
for (const [i, { title, lines }] of plots.entries()) {
  const curves = lines.map((line) => measure(line, trials))
  process.stdout.write(`\n${title} (${trials} trials a line; downtime in ms)\n`)
  process.stdout.write('  time-outs        median    mean   worst   the paper\n')
  for (const { minMs, maxMs, paper, downtimesMs } of curves) {
    const mean = downtimesMs.reduce((sum, ms) => sum + ms, 0) / downtimesMs.length
    const columns = [downtimesMs[downtimesMs.length >> 1]!, mean, downtimesMs.at(-1)!]
    process.stdout.write(
      `  ${`${minMs}–${maxMs}`.padEnd(14)}${columns.map((ms) => ms.toFixed(0).padStart(8)).join('')}   ${paper}\n`,
    )
  }
  drawn.push(drawPlot(title, curves, i * height))
}
if (values.svg !== undefined) {
  mkdirSync(dirname(values.svg), { recursive: true })
  writeFileSync(
    values.svg,
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height * plots.length}" font-family="sans-serif" font-size="12"><title>Time without a leader, by range of election time-outs</title><rect width="100%" height="100%" fill="white"/>\n${drawn.join('\n')}\n</svg>\n`,
  )
  process.stdout.write(`\nwrote ${values.svg}\n`)
}
