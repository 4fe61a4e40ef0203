// Turns measurements into what a person reads: a table of medians, and ratios with their spread.
import type { ServerKind } from '../conformance/cluster.ts'
import type { LoadResult } from './load/generator.ts'

/** One workload at one level in one round of one side. */
export interface Measurement extends LoadResult {
  readonly side: ServerKind
  readonly nodes: number
  readonly round: number
  readonly workload: string
  readonly outstanding: number
  /** Memory of all nodes together at the end of the round. */
  readonly pssBytes: number
}

/** The subject's rate over a peer's: median over median, and the least and greatest of the rounds, pair by pair. */
export interface Ratio {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function ratio(subject: readonly Measurement[], peer: readonly Measurement[]): Ratio {
  const rates = (side: readonly Measurement[]) => side.map((one) => one.requestsPerSecond)
  const pairs = subject.map((one, at) => one.requestsPerSecond / peer[at]!.requestsPerSecond)
  return { median: median(rates(subject)) / median(rates(peer)), min: Math.min(...pairs), max: Math.max(...pairs) }
}

const header = [
  'nodes',
  'workload',
  'outstanding',
  'side',
  'requests/s',
  'p50 ms',
  'p99 ms',
  'server CPU',
  'µs/request',
  'load CPU',
  'memory MB',
  'errors',
  'ratio (min to max)',
]

/** A Markdown table, one row for each side, workload, level and size. CPU is in cores. */
export function table(all: readonly Measurement[], sides: readonly ServerKind[], cores: number): string {
  const rows = [header, header.map(() => '---')]
  for (const group of groups(all)) {
    const subject = group.filter((one) => one.side === sides[0])
    for (const side of sides)
      rows.push(
        row(
          group.filter((one) => one.side === side),
          subject,
        ),
      )
  }
  const lines = rows.map((cells) => `| ${cells.join(' | ')} |`)
  return [...lines, '', `CPU in cores of ${cores}; medians over the rounds; ratio: ${sides[0]} over that side.`].join(
    '\n',
  )
}

function row(side: readonly Measurement[], subject: readonly Measurement[]): string[] {
  const first = side[0]!
  const of = (value: (one: Measurement) => number) => median(side.map(value))
  const spread = ratio(subject, side)
  return [
    String(first.nodes),
    first.workload,
    String(first.outstanding),
    first.side,
    of((one) => one.requestsPerSecond).toFixed(0),
    (of((one) => one.p50Micros) / 1000).toFixed(2),
    (of((one) => one.p99Micros) / 1000).toFixed(2),
    of((one) => one.serverCpuSeconds / one.seconds).toFixed(2),
    of((one) => (one.serverCpuSeconds / one.requests) * 1e6).toFixed(1),
    of((one) => one.generatorCpuSeconds / one.seconds).toFixed(2),
    (of((one) => one.pssBytes) / 1e6).toFixed(0),
    String(side.reduce((sum, one) => sum + one.errors, 0)),
    first.side === subject[0]!.side ? '' : `${text(spread)}`,
  ]
}

function groups(all: readonly Measurement[]): readonly (readonly Measurement[])[] {
  const byKey = new Map<string, Measurement[]>()
  for (const one of all) {
    const key = `${one.nodes} ${one.workload} ${one.outstanding}`
    byKey.set(key, [...(byKey.get(key) ?? []), one])
  }
  return [...byKey.values()]
}

/** The line that says it all: Put on the largest cluster, at 64 outstanding or the level nearest to it. */
export function headline(all: readonly Measurement[], sides: readonly ServerKind[]): string {
  const nodes = Math.max(...all.map((one) => one.nodes))
  const workload = all.some((one) => one.workload === 'put') ? 'put' : all[0]!.workload
  const levels = all.map((one) => one.outstanding)
  const level = levels.reduce((best, one) => (Math.abs(one - 64) < Math.abs(best - 64) ? one : best))
  const chosen = all.filter((one) => one.nodes === nodes && one.workload === workload && one.outstanding === level)
  const [subject, ...peers] = sides
  const ofSide = (side: ServerKind) => chosen.filter((one) => one.side === side)
  const ratios = peers.map((peer) => `${text(ratio(ofSide(subject!), ofSide(peer)))} times ${peer}`)
  return `${workload}, ${nodes} nodes, ${level} outstanding: ${subject} ${ratios.join(', ')}`
}

function text({ median: middle, min, max }: Ratio): string {
  return `${middle.toFixed(2)} (${min.toFixed(2)} to ${max.toFixed(2)})`
}
