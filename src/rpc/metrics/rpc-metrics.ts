import { writeUpstreamMetrics } from '../../traffic/metrics/index.ts'
import type { Upstream } from '../../traffic/upstream/index.ts'
import { Histogram, type Labels, PrometheusText } from '../../wire/prometheus/index.ts'
import type { CallCounts, MethodCounts } from './call-counts.ts'

/** What is known of a client or a server. */
type Counted =
  | { readonly kind: 'client'; readonly name: string; readonly counts: CallCounts; readonly upstream: Upstream }
  | { readonly kind: 'server'; readonly name: string; readonly counts: CallCounts }

/** By the object that a program has. */
const counted = new WeakMap<object, () => Counted>()

/** Makes the figures of a client or server known under the object that its program has of it. */
export function countFor(end: object, look: () => Counted): void {
  counted.set(end, look)
}

/** `end` stands for `other` in the hands of a program. */
export function countAs(end: object, other: object): void {
  const look = counted.get(other)
  if (look !== undefined) counted.set(end, look)
}

/**
 * The calls of clients and servers in Prometheus' text format 0.0.4: `synod_rpc_client_*` by target, `synod_rpc_server_*`
 * by address, and of clients the endpoints too (`synod_upstream_*`, see `upstreamMetrics`). Figures of clients with the
 * same target are summed up; of their endpoints the first one's are shown. Throws a TypeError for what is neither.
 *
 * @example
 * http.createServer((_, response) => response.end(rpcMetrics(server, orders, payments)))
 */
export function rpcMetrics(...ends: readonly object[]): string {
  const found = ends.map((end) => {
    const look = counted.get(end)
    if (look === undefined) throw new TypeError('rpcMetrics takes what createClient and createServer gave')
    return look()
  })
  const text = new PrometheusText()
  const servers = found.filter(({ kind }) => kind === 'server')
  const clients = found.filter((one) => one.kind === 'client')
  write(text, 'server', 'address', servers)
  write(text, 'client', 'target', clients)
  const upstreams = new Map<string, Upstream>()
  for (const { upstream } of clients) if (!upstreams.has(upstream.name)) upstreams.set(upstream.name, upstream)
  if (upstreams.size > 0) {
    writeUpstreamMetrics(
      text,
      [...upstreams.values()].map((upstream) => upstream.view()),
    )
  }
  return ends.length === 0 ? '' : text.toString()
}

/** One method at one end, or at several with the same name. */
interface Row {
  readonly labels: Labels
  open: number
  readonly codes: Map<string, number>
  readonly seconds: Histogram
}

function write(text: PrometheusText, side: 'client' | 'server', label: string, ends: readonly Counted[]): void {
  const rows = new Map<string, Row>()
  for (const { name, counts } of ends) {
    for (const method of counts.methods) {
      const labels = { [label]: name, service: method.service, method: method.method }
      const key = JSON.stringify(labels)
      const row = rows.get(key) ?? { labels, open: 0, codes: new Map(), seconds: new Histogram(method.seconds.bounds) }
      rows.set(key, row)
      add(row, method)
    }
  }
  const all = [...rows.values()]
  text.counter(
    `synod_rpc_${side}_calls_total`,
    'Calls ended, by their status.',
    all.flatMap(({ labels, codes }) => [...codes].map(([code, value]) => ({ labels: { ...labels, code }, value }))),
  )
  text.gauge(
    `synod_rpc_${side}_calls_open`,
    'Calls under way.',
    all.map(({ labels, open }) => ({ labels, value: open })),
  )
  text.histograms(
    `synod_rpc_${side}_call_seconds`,
    side === 'client' ? 'From the call to its end, retries included.' : 'From the head of the request to the end.',
    all.map(({ labels, seconds }) => ({ labels, histogram: seconds })),
  )
}

function add(row: Row, { open, codes, seconds }: MethodCounts): void {
  row.open += open
  for (const [code, count] of codes) row.codes.set(code, (row.codes.get(code) ?? 0) + count)
  seconds.counts.forEach((count, at) => {
    row.seconds.counts[at]! += count
  })
  row.seconds.sum += seconds.sum
}
