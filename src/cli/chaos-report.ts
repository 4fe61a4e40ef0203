/** How a run of chaos is told: a text for people, an object for machines. */
import type { ChaosReport, FaultEvent } from '../verify/chaos/index.ts'
import { formatTable } from './output.ts'

/** What stands beside the report. */
export interface ChaosPlace {
  readonly seed: string
  readonly directory: string
  /** The line that runs the same faults again. */
  readonly replay: string
}

const verdictWords = {
  valid: 'VALID: everything that clients were told holds',
  invalid: 'INVALID',
  unknown: 'COULD NOT TELL',
} as const
const faultsShownMax = 12

export function chaosText(report: ChaosReport, { directory, replay, seed }: ChaosPlace): string {
  const seconds = report.workedMs / 1000
  const { ok, failed, unknown } = report.operations
  const all = ok + failed + unknown
  const parts = [
    formatTable(['FAULT', 'TIMES', 'SECONDS'], faultRows(report.faults)),
    formatTable(
      ['OPERATION', 'ACKNOWLEDGED', 'REFUSED', 'UNKNOWN'],
      [...report.operationsByKind].map(([kind, tally]) => [
        kind,
        ...[tally.ok, tally.failed, tally.unknown].map(String),
      ]),
    ),
    `${all} operations in ${seconds.toFixed(1)} s: ${(all / seconds).toFixed(0)}/s, ${(ok / seconds).toFixed(0)} acknowledged/s (${((100 * ok) / Math.max(1, all)).toFixed(1)} %); ${report.faults.length} faults, ${report.leaderships} leaderships`,
    formatTable(
      ['CHECK', 'VERDICT', 'DETAIL'],
      report.findings.map(({ check, verdict, explanation }) => [check, verdict, explanation]),
    ),
    `${verdictWords[report.verdict]} (${report.records} records checked in ${(report.checkedMs / 1000).toFixed(1)} s)`,
  ]
  if (report.verdict !== 'valid') parts.push(failureText(report, directory, replay, seed))
  return parts.join('\n\n')
}

/** Everything that helps to find the cause. */
function failureText(report: ChaosReport, directory: string, replay: string, seed: string): string {
  const evidence = report.findings.flatMap((finding) => finding.evidence.map((record) => JSON.stringify(record)))
  const last = report.faults.slice(-faultsShownMax).map(faultLine)
  return [
    ...(evidence.length === 0 ? [] : ['evidence', ...evidence.map((line) => `  ${line}`)]),
    'the last faults',
    ...last.map((line) => `  ${line}`),
    `history  ${report.historyPath} (synod check ${report.historyPath})`,
    ...(report.timelinePath === undefined ? [] : [`picture  ${report.timelinePath}`]),
    `data and logs of the nodes  ${directory}`,
    `seed ${seed}; the same faults again (real time differs from run to run, so what they hit may differ):`,
    `  ${replay}`,
  ].join('\n')
}

function faultLine({ name, beganMs, endedMs, words }: FaultEvent): string {
  const until = endedMs === undefined ? '…' : (endedMs / 1000).toFixed(2)
  return `${(beganMs / 1000).toFixed(2)} to ${until} s  ${name}: ${words.join('; ')}`
}

/** Times and duration by kind of fault. */
function faultRows(faults: readonly FaultEvent[]): string[][] {
  const byName = new Map<string, { times: number; ms: number }>()
  for (const { name, beganMs, endedMs } of faults) {
    const row = byName.get(name) ?? { times: 0, ms: 0 }
    row.times++
    row.ms += (endedMs ?? beganMs) - beganMs
    byName.set(name, row)
  }
  return [...byName]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { times, ms }]) => [name, String(times), (ms / 1000).toFixed(1)])
}

export function chaosJson(report: ChaosReport, { directory, replay, seed }: ChaosPlace): Record<string, unknown> {
  return {
    verdict: report.verdict,
    seed,
    findings: report.findings,
    workedSeconds: report.workedMs / 1000,
    checkedSeconds: report.checkedMs / 1000,
    operations: report.operations,
    operationsByKind: Object.fromEntries(report.operationsByKind),
    faults: report.faults,
    leaderships: report.leaderships,
    records: report.records,
    // Of a valid run in a directory of its own nothing is kept.
    historyPath: report.historyPath,
    timelinePath: report.timelinePath,
    directory,
    replay,
  }
}
