/** What exchanges do without when the worker's memory for data in flight is nearly used up. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BufferLedger, bufferLedgerOf } from '../http/index.ts'
import type { ExchangeGround } from './testing/exchange-ground.ts'
import { onGround } from './testing/on-ground.ts'

const retry = { attemptsMax: 2, on: ['broken-connection'] as const, nonIdempotent: true }
const put = { method: 'PUT', bodyLength: 4 } as const

/** On a ground with retries and mirrors, where `fill` uses up this share of the worker's memory. */
function underPressure(share: number, act: (ground: ExchangeGround, fill: () => BufferLedger) => void): Promise<void> {
  return onGround(
    { retry, mirror: { upstream: 'copy', percent: 100 } },
    (ground) => {
      const ledger = bufferLedgerOf(ground.time.scheduler)
      const filled = share * ledger.bytesMax
      act(ground, () => {
        ledger.add(filled)
        ledger.grown()
        ground.time.advance(1)
        return ledger
      })
      ledger.add(-filled)
    },
    { upstreams: { app: ['a', 'b'], copy: ['copy'] } },
  )
}

test('mirrors are the first to go: those under way are dropped and no more are made, requests go on', () =>
  underPressure(0.55, (ground, fill) => {
    const sent = ground.request(put)
    const [call, copy] = ground.calls
    sent.consumer.onData(Buffer.from('ab'))
    assert.deepEqual([call!.body, copy!.body], ['ab', 'ab'])
    const ledger = fill()
    assert.deepEqual([call!.isAborted, copy!.isAborted], [false, true])
    sent.consumer.onData(Buffer.from('cd'))
    sent.consumer.onEnd(undefined)
    assert.equal(ledger.bodiesNotKept, 0)
    call!.fails('broken-response')
    const again = ground.calls[2]!
    assert.deepEqual([again.endpoint, again.body], ['b', 'abcd'])
    again.answers(200, 'yes')
    sent.consumer.onFinished()
    const next = ground.request(put)
    assert.equal(ground.calls.length, 4)
    assert.equal(ground.metrics.snapshot().mirrorsDropped, 2)
    next.consumer.onAborted('over')
  }))

test('then bodies are not kept, so that there is no second attempt', () =>
  underPressure(0.7, (ground, fill) => {
    const kept = ground.request(put)
    kept.consumer.onData(Buffer.from('ab'))
    const ledger = fill()
    kept.consumer.onData(Buffer.from('cd'))
    kept.consumer.onEnd(undefined)
    assert.equal(ledger.bodiesNotKept, 1)
    assert.equal(ground.calls[0]!.body, 'abcd')
    ground.calls[0]!.fails('broken-response')
    assert.equal(ground.calls.length, 2)
    assert.equal(kept.responder.head!.status, 502)
    kept.consumer.onFinished()
    // Without a body there is nothing to keep.
    const bare = ground.request({ method: 'GET' })
    ground.calls[2]!.fails('broken-response')
    ground.calls[3]!.answers(200, 'yes')
    assert.equal(bare.responder.head!.status, 200)
    bare.consumer.onFinished()
  }))
