import { PrometheusText, type Sample } from '../../wire/prometheus/index.ts'
import type { EndpointState, EndpointView, PickRefusal, UpstreamView } from '../upstream/index.ts'

const states: readonly EndpointState[] = ['ready', 'unhealthy', 'ejected', 'draining', 'unknown']
const refusals: readonly PickRefusal[] = [
  'no-endpoints',
  'none-healthy',
  'circuit-open',
  'too-many-requests',
  'all-tried',
]
const circuitValue = { closed: 0, 'half-open': 1, open: 2 } as const

/** Upstreams in Prometheus' text format 0.0.4: families named `synod_upstream_*`, labelled by upstream and endpoint. */
export function upstreamMetrics(views: readonly UpstreamView[]): string {
  const text = new PrometheusText()
  writeUpstreamMetrics(text, views)
  return views.length === 0 ? '' : text.toString()
}

/** As {@link upstreamMetrics}, into a page that holds other families too. */
export function writeUpstreamMetrics(text: PrometheusText, views: readonly UpstreamView[]): void {
  const each = (value: (view: UpstreamView) => number): Sample[] =>
    views.map((view) => ({ labels: { upstream: view.name }, value: value(view) }))
  text.counter(
    'synod_upstream_requests_total',
    'Requests begun, retries left out.',
    each(({ requests }) => requests),
  )
  text.counter(
    'synod_upstream_retries_total',
    'Retries and hedges granted by the budget.',
    each(({ retries }) => retries),
  )
  text.counter(
    'synod_upstream_retries_refused_total',
    'Retries and hedges that did not fit the budget.',
    each(({ retriesRefused }) => retriesRefused),
  )
  text.counter(
    'synod_upstream_refusals_total',
    'Requests for which no endpoint was chosen, by reason.',
    views.flatMap((view) =>
      refusals.map((reason) => ({ labels: { upstream: view.name, reason }, value: view.refusals[reason] })),
    ),
  )
  text.gauge(
    'synod_upstream_circuit_state',
    'Circuit breaker: 0 closed, 1 half-open, 2 open.',
    each(({ circuit }) => circuitValue[circuit]),
  )
  text.gauge(
    'synod_upstream_panicking',
    '1 while endpoints that are not healthy are used, for want of others.',
    each(({ isPanicking }) => (isPanicking ? 1 : 0)),
  )
  text.gauge(
    'synod_upstream_endpoints',
    'Endpoints by state.',
    views.flatMap((view) =>
      states.map((state) => ({
        labels: { upstream: view.name, state },
        value: view.endpoints.filter((endpoint) => endpoint.state === state).length,
      })),
    ),
  )
  text.gauge(
    'synod_upstream_source_failing',
    '1 while a source of endpoints cannot be read, and what it told before is used.',
    views.flatMap((view) =>
      view.sources.map(({ type, name, state }) => ({
        labels: { upstream: view.name, type, source: name },
        value: state === 'failing' ? 1 : 0,
      })),
    ),
  )
  writeEndpoints(text, views)
}

function writeEndpoints(text: PrometheusText, views: readonly UpstreamView[]): void {
  const each = (value: (endpoint: EndpointView) => number | undefined): Sample[] =>
    views.flatMap((view) =>
      view.endpoints.flatMap((endpoint) => {
        const measured = value(endpoint)
        const labels = { upstream: view.name, endpoint: endpoint.id }
        return measured === undefined ? [] : [{ labels, value: measured }]
      }),
    )
  text.gauge(
    'synod_upstream_endpoint_ready',
    '1 while it is healthy.',
    each(({ state }) => (state === 'ready' ? 1 : 0)),
  )
  text.gauge(
    'synod_upstream_endpoint_active',
    'Requests under way, of this process.',
    each(({ active }) => active),
  )
  text.gauge(
    'synod_upstream_endpoint_weight',
    'Weight, lowered during slow start.',
    each(({ weight }) => weight),
  )
  text.gauge(
    'synod_upstream_endpoint_latency_seconds',
    'Peak EWMA of the time to the head of the answer.',
    each(({ latencyMs }) => latencyMs / 1000),
  )
  text.counter(
    'synod_upstream_endpoint_successes_total',
    'Attempts answered well.',
    each(({ successes }) => successes),
  )
  text.counter(
    'synod_upstream_endpoint_failures_total',
    'Attempts that failed.',
    each(({ failures }) => failures),
  )
  text.counter(
    'synod_upstream_endpoint_ejections_total',
    'Times it was ejected, by cause.',
    views.flatMap((view) =>
      view.endpoints.flatMap((endpoint) =>
        Object.entries(endpoint.ejectionsByCause).map(([cause, value]) => ({
          labels: { upstream: view.name, endpoint: endpoint.id, cause },
          value,
        })),
      ),
    ),
  )
  text.gauge(
    'synod_upstream_endpoint_phi',
    'Suspicion of the phi-accrual detector.',
    each(({ phi }) => phi),
  )
}
