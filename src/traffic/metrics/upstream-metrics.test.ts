import assert from 'node:assert/strict'
import { test } from 'node:test'
import { address, fail, onUpstreamGround, spread } from '../upstream/testing/upstream-ground.ts'
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
    ])
      assert.ok(lines.includes(expected), expected)
    assert.equal(upstreamMetrics([]), '')
  }))
