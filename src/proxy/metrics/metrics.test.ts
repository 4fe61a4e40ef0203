import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { mergeProxyMetrics, ProxyMetrics, proxyMetricsText } from './index.ts'

it('counts by class and duration, in the text of Prometheus', () => {
  const metrics = new ProxyMetrics()
  const route = metrics.route('web', 'a"b/c')
  for (const [status, ms] of [
    [200, 0.5],
    [204, 1],
    [502, 3],
    [0, 99_999],
    [499, 10],
  ] as const)
    route.count(status, ms)
  route.active = 2
  route.fail('connect-refused')
  route.fail('connect-refused')
  const text = proxyMetricsText(metrics.snapshot())
  const labels = 'listener="web",route="a\\"b/c"'
  for (const line of [
    `synod_proxy_route_requests_total{${labels},status="2xx"} 2`,
    `synod_proxy_route_requests_total{${labels},status="0xx"} 1`,
    `synod_proxy_route_duration_seconds_bucket{${labels},le="0.001"} 2`,
    `synod_proxy_route_duration_seconds_bucket{${labels},le="0.005"} 3`,
    `synod_proxy_route_duration_seconds_bucket{${labels},le="10"} 4`,
    `synod_proxy_route_duration_seconds_bucket{${labels},le="+Inf"} 5`,
    `synod_proxy_route_duration_seconds_sum{${labels}} 100.0135`,
    `synod_proxy_route_duration_seconds_count{${labels}} 5`,
    `synod_proxy_route_active_requests{${labels}} 2`,
    `synod_proxy_route_failures_total{${labels},reason="connect-refused"} 2`,
    'synod_proxy_refused_total 0',
  ]) {
    assert.ok(text.split('\n').includes(line), line)
  }
  const names = text
    .split('\n')
    .filter((line) => line.startsWith('# TYPE'))
    .map((line) => line.split(' ')[2])
  assert.equal(new Set(names).size, names.length)
})

it('merged over workers equals one worker that saw all', () => {
  const event = fc.tuple(fc.nat(2), fc.constantFrom('a', 'b'), fc.constantFrom(0, 200, 404, 503), fc.nat(20_000))
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const workers = [new ProxyMetrics(), new ProxyMetrics(), new ProxyMetrics()]
      const one = new ProxyMetrics()
      for (const [worker, name, status, ms] of events) {
        for (const metrics of [workers[worker]!, one]) {
          metrics.upstream(name).count(status, ms)
          metrics.upstream(name).bytesOut += ms
          metrics.listener('web').retries++
          if (status === 503) metrics.upstream(name).fail(ms % 2 === 0 ? 'no-endpoint' : 'overloaded')
          metrics.mirrored++
        }
      }
      const merged = mergeProxyMetrics(workers.map((each) => JSON.parse(JSON.stringify(each.snapshot()))))
      assert.deepEqual(merged, one.snapshot())
    }),
  )
})

it('drops the counters of names that are gone', () => {
  const metrics = new ProxyMetrics()
  metrics.route('web', 'old').count(200, 1)
  metrics.route('web', 'new').count(200, 1)
  metrics.retain({ listeners: new Set(), routes: new Set(['web/new']), upstreams: new Set() })
  assert.deepEqual(Object.keys(metrics.snapshot().routes), ['web/new'])
})
