// Measurements as a person reads them: medians of the rounds, and for each server the ratio to the other client.
import type { Measured, SideName } from './side.ts'

/** One workload in one round of one side. */
export interface Measurement extends Measured, SideName {
  readonly workload: string
  readonly round: number
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const header = [
  'workload',
  'server',
  'client',
  'a second',
  'p50 ms',
  'p99 ms',
  'client CPU µs',
  'errors',
  'ours : theirs (min to max)',
]

/** A Markdown table. The ratio stands in the row of the other client: of rates, or of median latencies for watches. */
export function table(all: readonly Measurement[]): string {
  const rows: string[][] = [header, header.map(() => '---')]
  for (const group of grouped(all)) rows.push(rowOf(group, all))
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** By workload in the order of the run, then side by side. */
function grouped(all: readonly Measurement[]): Measurement[][] {
  const groups: Measurement[][] = []
  for (const workload of new Set(all.map((one) => one.workload))) {
    const sides = new Map<string, Measurement[]>()
    for (const one of all) {
      if (one.workload !== workload || one.missing === true) continue
      const side = `${one.server}/${one.client}`
      sides.set(side, [...(sides.get(side) ?? []), one])
    }
    groups.push(...sides.values())
  }
  return groups
}

function rowOf(group: readonly Measurement[], all: readonly Measurement[]): string[] {
  const { workload, server, client } = group[0]!
  const of = (pick: (one: Measurement) => number): number => median(group.map(pick))
  const own = all.filter(
    (one) => one.workload === workload && one.server === server && one.client === 'synod' && one.missing !== true,
  )
  return [
    workload,
    server,
    client,
    of(({ perSecond }) => perSecond).toFixed(0),
    of(({ p50Micros }) => p50Micros / 1000).toFixed(2),
    of(({ p99Micros }) => p99Micros / 1000).toFixed(2),
    of(({ cpuMicros }) => cpuMicros).toFixed(0),
    String(group.reduce((sum, { errors }) => sum + errors, 0)),
    client === 'synod' ? '' : ratio(own, group),
  ]
}

/** Above 1 is better for ours. Pairs are of one round: what disturbed the machine then disturbed both. */
function ratio(own: readonly Measurement[], theirs: readonly Measurement[]): string {
  const pairs: number[] = []
  for (const one of theirs) {
    const pair = own.find(({ round }) => round === one.round)
    if (pair === undefined || one.perSecond === 0 || pair.perSecond === 0) continue
    pairs.push(one.workload === 'watch latency' ? one.p50Micros / pair.p50Micros : pair.perSecond / one.perSecond)
  }
  if (pairs.length === 0) return ''
  return `${median(pairs).toFixed(2)} (${Math.min(...pairs).toFixed(2)} to ${Math.max(...pairs).toFixed(2)})`
}
