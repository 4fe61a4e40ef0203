/** The counters in Prometheus' text format 0.0.4. */
import type { ProxyMetricsSnapshot } from './proxy-metrics.ts'
import { durationBoundsMs, type TrafficSnapshot } from './traffic-counters.ts'

interface Subject {
  readonly snapshot: TrafficSnapshot
  /** `listener="web",route="shop"`. */
  readonly labels: string
}

type Kind = 'listener' | 'route' | 'upstream'

const counters: readonly (readonly [
  name: string,
  help: string,
  type: string,
  read: (snapshot: TrafficSnapshot) => number,
])[] = [
  ['request_bytes_total', 'Bytes of request bodies', 'counter', (each) => each.bytesIn],
  ['response_bytes_total', 'Bytes of response bodies', 'counter', (each) => each.bytesOut],
  ['retries_total', 'Attempts after the first', 'counter', (each) => each.retries],
  ['hedges_total', 'Attempts begun before another had failed', 'counter', (each) => each.hedges],
  ['aborted_total', 'Exchanges that the client left or that broke off', 'counter', (each) => each.aborted],
  ['rate_limited_total', 'Requests refused by a rate limit', 'counter', (each) => each.rateLimited],
  ['active_requests', 'Requests under way', 'gauge', (each) => each.active],
]

/** All `synod_proxy_*` metrics, each line ended by a line feed. */
export function proxyMetricsText(snapshot: ProxyMetricsSnapshot): string {
  const lines: string[] = []
  writeKind(
    lines,
    'listener',
    subjects(snapshot.listeners, (name) => `listener="${escapeLabel(name)}"`),
  )
  writeKind(lines, 'route', subjects(snapshot.routes, routeLabels))
  writeKind(
    lines,
    'upstream',
    subjects(snapshot.upstreams, (name) => `upstream="${escapeLabel(name)}"`),
  )
  const single = (name: string, help: string, value: number) => {
    lines.push(`# HELP ${name} ${help}.`, `# TYPE ${name} counter`, `${name} ${value}`)
  }
  single('synod_proxy_mirrored_total', 'Requests copied to a mirror', snapshot.mirrored)
  single('synod_proxy_mirrors_dropped_total', 'Copies given up: too many at once, or too slow', snapshot.mirrorsDropped)
  single('synod_proxy_refused_total', 'Requests too malformed to have a head', snapshot.refused)
  return `${lines.join('\n')}\n`
}

function subjects(all: Readonly<Record<string, TrafficSnapshot>>, labels: (name: string) => string): Subject[] {
  return Object.entries(all).map(([name, snapshot]) => ({ snapshot, labels: labels(name) }))
}

function routeLabels(name: string): string {
  const slash = name.indexOf('/')
  return `listener="${escapeLabel(name.slice(0, slash))}",route="${escapeLabel(name.slice(slash + 1))}"`
}

function writeKind(lines: string[], kind: Kind, all: readonly Subject[]): void {
  if (all.length === 0) return
  const requests = `synod_proxy_${kind}_requests_total`
  lines.push(
    `# HELP ${requests} Requests that ended, by class of the status (0xx: none was sent).`,
    `# TYPE ${requests} counter`,
  )
  for (const { labels, snapshot } of all) {
    snapshot.requestsByClass.forEach((value, i) => {
      lines.push(`${requests}{${labels},status="${i}xx"} ${value}`)
    })
  }
  writeFailures(lines, `synod_proxy_${kind}_failures_total`, all)
  writeDurations(lines, `synod_proxy_${kind}_duration_seconds`, all)
  for (const [name, help, type, read] of counters) {
    const full = `synod_proxy_${kind}_${name}`
    lines.push(`# HELP ${full} ${help}.`, `# TYPE ${full} ${type}`)
    for (const { labels, snapshot } of all) lines.push(`${full}{${labels}} ${read(snapshot)}`)
  }
}

function writeFailures(lines: string[], name: string, all: readonly Subject[]): void {
  lines.push(`# HELP ${name} Requests that the proxy itself refused or failed, by reason.`, `# TYPE ${name} counter`)
  for (const { labels, snapshot } of all) {
    for (const [reason, count] of Object.entries(snapshot.failures)) {
      lines.push(`${name}{${labels},reason="${escapeLabel(reason)}"} ${count}`)
    }
  }
}

function writeDurations(lines: string[], name: string, all: readonly Subject[]): void {
  lines.push(`# HELP ${name} From the head of the request to the end of the response.`, `# TYPE ${name} histogram`)
  for (const { labels, snapshot } of all) {
    let below = 0
    snapshot.durationCounts.forEach((count, i) => {
      below += count
      const bound = durationBoundsMs[i]
      lines.push(`${name}_bucket{${labels},le="${bound === undefined ? '+Inf' : bound / 1_000}"} ${below}`)
    })
    lines.push(`${name}_sum{${labels}} ${snapshot.durationSumMs / 1_000}`, `${name}_count{${labels}} ${below}`)
  }
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}
