import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upstreamSettingsDefault } from '../upstream/index.ts'
import { address, fail, onUpstreamGround, spread, staticSource } from '../upstream/testing/upstream-ground.ts'
import { upstreamMetrics } from './index.ts'

test('metrics tell what the view tells, in lines that Prometheus reads', () =>
  onUpstreamGround(1, async ({ open }) => {
    const upstream = open({ sources: [{ type: 'static', endpoints: [address('a"1\n'), address('b')] }] })
    spread(upstream, 10)
    fail(upstream, 'b', 5)
    const text = upstreamMetrics([upstream.view()])
    const lines = text.trimEnd().split('\n')
    for (const line of lines)
      assert.match(
        line,
        /^(# (HELP|TYPE) synod_upstream_\w+ .+|synod_upstream_\w+\{\w+="([^"\\\n]|\\.)*"(,\w+="([^"\\\n]|\\.)*")*\} \S+)$/,
      )
    const families = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2])
    assert.equal(new Set(families).size, families.length)
    for (const expected of [
      'synod_upstream_requests_total{upstream="orders"} 15',
      'synod_upstream_endpoints{upstream="orders",state="ejected"} 1',
      'synod_upstream_endpoint_ready{upstream="orders",endpoint="b"} 0',
      'synod_upstream_endpoint_latency_seconds{upstream="orders",endpoint="a\\"1\\n"} 0.001',
      'synod_upstream_endpoint_failures_total{upstream="orders",endpoint="b"} 5',
      'synod_upstream_endpoint_successes_total{upstream="orders",endpoint="a\\"1\\n"} 5',
      'synod_upstream_endpoint_ejections_total{upstream="orders",endpoint="b",cause="failures-in-row"} 1',
      'synod_upstream_endpoint_ejections_total{upstream="orders",endpoint="b",cause="latency"} 0',
    ])
      assert.ok(lines.includes(expected), expected)
    assert.equal(upstreamMetrics([]), '')
  }))

test('a slow endpoint that is ejected for it, and what is suspected of one that is checked', () =>
  onUpstreamGround(
    2,
    async ({ open, pass }) => {
      const outlier = {
        ...upstreamSettingsDefault.outlier!,
        intervalMs: 1_000,
        latencyFactor: 3,
        successRateEndpointsMin: 3,
        successRateRequestsMin: 10,
      }
      const check = { type: 'script', command: ['well'] } as const
      const activeCheck = { check, intervalMs: 1_000, timeoutMs: 500, healthyAfter: 1, unhealthyAfter: 3 }
      const upstream = open({ sources: [staticSource('a', 'b', 'c')], outlier, activeCheck })
      await pass(100)
      for (const endpoint of upstream.endpoints)
        for (let made = 0; made < 20; made++) {
          const permit = upstream.begin(endpoint)
          upstream.end(endpoint, 'success', endpoint.id === 'c' ? 2_000 : 10, permit)
        }
      await pass(1_000)
      const [, , slow] = upstream.view().endpoints
      assert.equal(slow!.state, 'ejected')
      assert.match(slow!.reason, /2000\.0 ms on average, the median of the others is 10\.0 ms/)
      const page = upstreamMetrics([upstream.view()])
      assert.match(page, /endpoint_ejections_total\{upstream="orders",endpoint="c",cause="latency"\} 1/)
      assert.match(page, /endpoint_phi\{upstream="orders",endpoint="a"\} [0-9.e-]+/)
    },
    { commands: { run: async () => ({ status: 0, detail: '' }) } },
  ))
