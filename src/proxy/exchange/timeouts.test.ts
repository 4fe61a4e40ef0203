/** Every time limit of an exchange, and what it ends. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, finish, onGround, post } from './testing/on-ground.ts'

describe('time', () => {
  it('of an attempt runs from the whole request', () =>
    onGround({ timeouts: { attemptMs: 1_000 }, retry: { attemptsMax: 2, on: ['timeout'] } }, (ground) => {
      const sent = ground.request({ method: 'PUT', bodyLength: 1 })
      ground.time.advance(5_000)
      sent.consumer.onData(bytes('x'))
      sent.consumer.onEnd(undefined)
      ground.time.advance(990)
      assert.equal(ground.calls.length, 1)
      ground.time.advance(30)
      assert.deepEqual([ground.calls.length, ground.calls[0]!.isAborted, ground.calls[1]!.body], [2, true, 'x'])
      ground.time.advance(1_030)
      assert.equal(sent.responder.head!.status, 504)
      finish(sent)
    }))

  it('of the whole request ends all attempts', () =>
    onGround(
      { timeouts: { attemptMs: 1_000, requestMs: 1_500 }, retry: { attemptsMax: 9, on: ['timeout'] } },
      (ground) => {
        const sent = ground.request()
        ground.time.advance(1_530)
        assert.deepEqual([ground.calls.length, sent.responder.head!.status], [2, 504])
        finish(sent)
        const slow = ground.request()
        ground.calls.at(-1)!.begins(200)
        ground.time.advance(1_530)
        assert.equal(slow.responder.isAborted, true)
      },
    ))

  it('of silence within a response breaks it, and any data starts it anew', () =>
    onGround({ timeouts: { responseIdleMs: 1_000 } }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200)
      for (let i = 0; i < 5; i++) {
        ground.time.advance(900)
        ground.calls[0]!.sends('x')
      }
      assert.equal(sent.responder.isOver, false)
      ground.time.advance(1_030)
      assert.equal(sent.responder.isAborted, true)
      assert.equal(ground.upstreams.get('app')!.upstream.view().endpoints[0]!.failures, 1)
    }))

  it('of silence within a request is 408, and 504 when the endpoint takes nothing', () =>
    onGround({}, (ground) => {
      const idle = ground.request(post())
      ground.time.advance(29_900)
      idle.consumer.onData(bytes('x'))
      ground.time.advance(29_900)
      assert.equal(idle.responder.head, undefined)
      ground.time.advance(200)
      assert.equal(idle.responder.head!.status, 408)
      finish(idle)
      const stuck = ground.request(post())
      ground.calls.at(-1)!.wantsMore = false
      stuck.consumer.onData(bytes('x'))
      ground.time.advance(30_100)
      assert.equal(stuck.responder.head!.status, 504)
      finish(stuck)
    }))
})
