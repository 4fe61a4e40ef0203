/** What `synod sim` prints: totals of all worlds, and the full story of one that failed. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { HistoryRecord } from '../verify/history/index.ts'
import type { WorldOptions, WorldReport } from '../verify/worlds/index.ts'
import { formatTable } from './output.ts'

const storyLinesMax = 60
/** What led to a violation is older than what shows it. */
const storyBeforeMs = 5000
const storyAfterMs = 500

export class SimulationTotals {
  failed = 0
  worlds = 0
  private simulatedMs = 0
  private wallMs = 0
  private timedEvents = 0
  private readonly sums = {
    events: 0,
    messagesDelivered: 0,
    diskCompletions: 0,
    timersFired: 0,
    operations: 0,
    elections: 0,
  }
  private readonly faults = new Map<string, number>()

  add(report: WorldReport): void {
    this.worlds++
    if (report.verdict === 'invalid') this.failed++
    this.simulatedMs += report.simulatedMs
    this.sums.events += report.events
    this.sums.messagesDelivered += report.eventsByClass.messagesDelivered
    this.sums.diskCompletions += report.eventsByClass.diskCompletions
    this.sums.timersFired += report.eventsByClass.timersFired
    this.sums.operations += report.operations
    this.sums.elections += report.elections
    for (const [kind, count] of Object.entries(report.faults))
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count)
  }

  addTime(wallMs: number, events: number): void {
    this.wallMs += wallMs
    this.timedEvents += events
  }

  line(): string {
    const { events, elections } = this.sums
    return `${hours(this.simulatedMs)} simulated · ${grouped(events)} events · ${grouped(this.faultCount)} faults · ${grouped(elections)} elections · ${grouped(this.eventsASecond)} events/s`
  }

  table(): string {
    const seconds = this.simulatedMs / 1000
    const rows = [
      ['worlds', `${grouped(this.worlds)} (${this.failed} failed)`],
      ['simulated', hours(this.simulatedMs)],
      ['events', `${grouped(this.sums.events)} (${grouped(this.eventsASecond)} a wall second)`],
      ['  messages delivered', grouped(this.sums.messagesDelivered)],
      ['  disk operations completed', grouped(this.sums.diskCompletions)],
      ['  timers fired', grouped(this.sums.timersFired)],
      [
        'client operations',
        `${grouped(this.sums.operations)} (${(this.sums.operations / Math.max(seconds, 1)).toFixed(1)} a simulated second)`,
      ],
      ['elections', grouped(this.sums.elections)],
      ['faults', grouped(this.faultCount)],
      ...[...this.faults].sort(([, a], [, b]) => b - a).map(([kind, count]) => [`  ${kind}`, grouped(count)]),
    ]
    return formatTable(['TOTAL', ''], rows)
  }

  private get faultCount(): number {
    return [...this.faults.values()].reduce((sum, count) => sum + count, 0)
  }

  private get eventsASecond(): number {
    return Math.round((1000 * this.timedEvents) / Math.max(this.wallMs, 1))
  }
}

/** All that someone needs who has to find out what happened, the replaying line last. */
export function describeFailure(report: WorldReport, options: Omit<WorldOptions, 'seed' | 'scenario'>): string {
  const story = tellingPart(report)
  return [
    `seed ${report.seed} of ${report.scenario} on ${report.consensus}: ${report.property} is violated`,
    `  commit    ${codeVersion()}`,
    `  violated  ${report.property}`,
    ...(report.explanation ?? '').split('\n').map((line) => `            ${line}`),
    ...(report.evidence ?? []).map((record) => `  evidence  ${JSON.stringify(record)}`),
    `  story     (${story.length} of ${report.story.length} lines)`,
    ...story.map((line) => `  ${line}`),
    `  replay    ${replayLine(report, options)}`,
  ].join('\n')
}

/** The lines around what shows the violation, or else the last ones. */
function tellingPart({ story, evidence = [] }: WorldReport): readonly string[] {
  const times = evidence.flatMap(timesOf)
  if (times.length === 0) return story.slice(-storyLinesMax)
  const [fromMs, toMs] = [Math.min(...times) - storyBeforeMs, Math.max(...times) + storyAfterMs]
  const atMs = (line: string): number => 1000 * Number.parseFloat(line)
  return story.filter((line) => atMs(line) >= fromMs && atMs(line) <= toMs).slice(-storyLinesMax)
}

function timesOf(record: HistoryRecord): number[] {
  switch (record.type) {
    case 'operation':
    case 'counter':
    case 'published':
      return [record.invokedMs, ...(record.returnedMs === undefined ? [] : [record.returnedMs])]
    case 'watch':
    case 'leader':
    case 'reading':
    case 'ids':
      return [record.atMs]
    case 'job':
      return [record.what.event === 'claimed' ? record.what.atMs : record.what.invokedMs]
    case 'lock':
      return [record.fromMs, ...(record.untilMs === undefined ? [] : [record.untilMs])]
    case 'lease':
      return [record.what.event === 'revoked' ? record.what.sentMs : record.what.atMs]
    default:
      return []
  }
}

/** The command that makes the same world again. */
export function replayLine(report: WorldReport, options: Omit<WorldOptions, 'seed' | 'scenario'>): string {
  const flags = [`--scenario ${report.scenario}`, `--seed ${report.seed}`]
  if (report.consensus !== 'raft') flags.push(`--consensus ${report.consensus}`)
  if (options.nodes !== undefined) flags.push(`--nodes ${options.nodes}`)
  if (options.durationMs !== undefined) flags.push(`--duration ${options.durationMs / 1000}`)
  return `./synod sim ${flags.join(' ')}`
}

/** The commit of a clone, told to be changed when it is; the version of an installed package. */
function codeVersion(): string {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return `${git('rev-parse', 'HEAD')}${git('status', '--porcelain', '--', 'src') === '' ? '' : ' and uncommitted changes'}`
  } catch {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    return `version ${manifest.version}`
  }
}

function hours(ms: number): string {
  return ms < 3_600_000 ? `${(ms / 60_000).toFixed(1)} min` : `${(ms / 3_600_000).toFixed(2)} h`
}

function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
