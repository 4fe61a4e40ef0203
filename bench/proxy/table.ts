// Turns measurements into what a person reads.
import { median } from '../report.ts'
import type { SideName } from './sides.ts'
import type { LoadResult } from './workloads.ts'

export interface Measurement extends LoadResult {
  readonly side: SideName
  readonly workload: string
  /** Least ratio to nginx that is aimed at. */
  readonly target: number
  readonly round: number
  /** Of all the proxy's processes, for one request. */
  readonly cpuMicroseconds: number
}

/** Median rate over median rate; undefined when one was not measured. */
export function ratioTo(
  all: readonly Measurement[],
  workload: string,
  side: SideName,
  peer: SideName,
): number | undefined {
  const rate = (name: SideName): number | undefined => {
    const own = all.filter((one) => one.workload === workload && one.side === name)
    return own.length === 0 ? undefined : median(own.map((one) => one.requestsPerSecond))
  }
  const [own, other] = [rate(side), rate(peer)]
  return own === undefined || other === undefined ? undefined : own / other
}

const header = ['workload', 'proxy', 'requests/s', 'p99 ms', 'CPU µs/request', 'errors', 'ratio to nginx', 'aim']

/** A Markdown table: medians of the rounds, the sum of errors. */
export function table(all: readonly Measurement[]): string {
  const rows = [header, header.map(() => '---')]
  for (const workload of new Set(all.map((one) => one.workload))) {
    for (const side of new Set(all.map((one) => one.side))) {
      const own = all.filter((one) => one.workload === workload && one.side === side)
      if (own.length === 0) continue
      const middle = (value: (one: Measurement) => number) => median(own.map(value))
      const toNginx = ratioTo(all, workload, side, 'nginx')
      rows.push([
        workload,
        side,
        Math.round(middle((one) => one.requestsPerSecond)).toString(),
        middle((one) => one.p99Ms).toFixed(2),
        middle((one) => one.cpuMicroseconds).toFixed(1),
        own.reduce((sum, one) => sum + one.errors, 0).toString(),
        toNginx === undefined || side === 'nginx' ? '' : toNginx.toFixed(2),
        side === 'synod' ? own[0]!.target.toString() : '',
      ])
    }
  }
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n')
}
