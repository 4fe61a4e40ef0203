/** Copies of requests: they are sent whole, and nobody sees or waits for them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RouteParts } from '../routing/testing/routes.ts'
import { bytes, finish, onGround, post } from './testing/on-ground.ts'

describe('mirrors', () => {
  const mirrored: RouteParts = { mirror: { upstream: 'copy', percent: 100 } }
  const upstreams = { app: ['a'], copy: ['m'] }

  it('get the request and its body, and nothing of them is seen', () =>
    onGround(
      mirrored,
      (ground) => {
        const sent = ground.request(post(2))
        const [call, copy] = ground.calls
        assert.equal(copy!.endpoint, 'm')
        sent.consumer.onData(bytes('hi'))
        sent.consumer.onEnd(undefined)
        assert.deepEqual([copy!.body, copy!.hasEnded], ['hi', true])
        call!.answers(200, 'primary')
        finish(sent)
        copy!.answers(500, 'copy')
        assert.equal(sent.responder.body, 'primary')
        assert.equal(ground.metrics.snapshot().mirrored, 1)
      },
      { upstreams },
    ))

  it('are given up when slow, and never slow the request', () =>
    onGround(
      mirrored,
      (ground) => {
        const sent = ground.request(post())
        const [call, copy] = ground.calls
        copy!.wantsMore = false
        for (let i = 0; i < 20; i++) sent.consumer.onData(Buffer.alloc(65_536))
        assert.deepEqual([sent.responder.isPaused, copy!.isAborted, call!.body.length], [false, true, 20 * 65_536])
        sent.consumer.onEnd(undefined)
        call!.begins(200, true)
        finish(sent)
        const waiting = ground.request()
        ground.calls[2]!.begins(200, true)
        finish(waiting)
        ground.time.advance(30_050)
        assert.equal(ground.calls[3]!.isAborted, true)
        assert.equal(ground.metrics.snapshot().mirrorsDropped, 2)
      },
      { upstreams },
    ))

  it('end with a request that breaks off within its body', () =>
    onGround(
      mirrored,
      (ground) => {
        const sent = ground.request(post())
        sent.consumer.onAborted('gone')
        assert.equal(ground.calls[1]!.isAborted, true)
      },
      { upstreams },
    ))
})
