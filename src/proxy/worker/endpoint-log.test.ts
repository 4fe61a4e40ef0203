import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '../../runtime/index.ts'
import { onUpstreamGround, send, staticSource } from '../../traffic/upstream/testing/upstream-ground.ts'
import { EndpointLog } from './endpoint-log.ts'

function noting(lines: unknown[]): Logger {
  const note =
    (level: string) =>
    (message: string, fields: object = {}): void => {
      lines.push({ level, message, ...fields })
    }
  return { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') } as Logger
}

test('an endpoint that goes out of use is told with the reason, and its return; its coming is no news', () =>
  onUpstreamGround(1, async ({ open, runtime, pass }) => {
    const lines: Record<string, unknown>[] = []
    const upstream = open({ sources: [staticSource('a', 'b')] })
    const log = new EndpointLog(upstream, noting(lines), runtime.scheduler)
    await upstream.ready()
    await pass(1_000)
    assert.deepEqual(lines, [])
    const failing = upstream.endpoints[0]!
    for (let i = 0; i < 5; i++) upstream.end(failing, 'failure', 1, upstream.begin(failing))
    await pass(1_000)
    const [out] = lines.splice(0)
    assert.deepEqual(
      [out!['level'], out!['message'], out!['upstream'], out!['endpoint'], out!['address'], out!['state']],
      ['warn', 'an endpoint is out of use', 'orders', 'a', 'host-a:80', 'ejected'],
    )
    assert.match(String(out!['reason']), /5 failures in a row/)
    await pass(60_000)
    assert.deepEqual(lines.splice(0), [
      { level: 'info', message: 'an endpoint is back in use', upstream: 'orders', endpoint: 'a', address: 'host-a:80' },
    ])
    upstream.setDraining('b', true)
    log.close()
    await pass(1_000)
    assert.deepEqual(lines, [])
    assert.equal(send(upstream), 'a')
  }))

test('of many at once some are told, and the number of the rest', () =>
  onUpstreamGround(2, async ({ open, runtime, pass }) => {
    const lines: Record<string, unknown>[] = []
    const ids = Array.from({ length: 100 }, (_, at) => `e${at}`)
    const upstream = open({ sources: [staticSource(...ids)] })
    await upstream.ready()
    const log = new EndpointLog(upstream, noting(lines), runtime.scheduler)
    for (const id of ids) upstream.setDraining(id, true)
    await pass(1_000)
    assert.equal(lines.length, 21)
    assert.deepEqual(lines.at(-1), { level: 'warn', message: 'more endpoints changed', upstream: 'orders', count: 80 })
    log.close()
  }))
