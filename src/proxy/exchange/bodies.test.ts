/** Bodies up and down: flow control, limits, `Expect: 100-continue`, answers before the end of the request. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, finish, onGround, post } from './testing/on-ground.ts'

describe('a body', () => {
  it('streams up with flow control', () =>
    onGround({}, (ground) => {
      const sent = ground.request(post())
      const call = ground.calls[0]!
      sent.consumer.onData(bytes('ab'))
      call.wantsMore = false
      sent.consumer.onData(bytes('cd'))
      assert.equal(sent.responder.isPaused, true)
      call.drains()
      assert.equal(sent.responder.isPaused, false)
      sent.consumer.onEnd(['t', '1'])
      assert.deepEqual([call.body, call.trailers], ['abcd', ['t', '1']])
      call.begins(200, true)
      finish(sent)
      assert.equal(ground.metrics.snapshot().listeners['web']!.bytesIn, 4)
    }))

  it('streams down with flow control', () =>
    onGround({}, (ground) => {
      const sent = ground.request()
      const call = ground.calls[0]!
      call.begins(200)
      sent.responder.wantsMore = false
      call.sends('a')
      call.sends('b')
      assert.equal(call.isPaused, true)
      ground.time.advance(600_000)
      sent.consumer.onDrain()
      assert.equal(call.isPaused, false)
      call.ends()
      assert.equal(sent.responder.body, 'ab')
      finish(sent)
    }))

  it('of announced size past the limit is refused at once, and past it while it streams', () =>
    onGround({ requestBodyBytesMax: 5 }, (ground) => {
      const announced = ground.request({ ...post(6), expectsContinue: true })
      assert.deepEqual([announced.responder.head!.status, announced.responder.informational], [413, []])
      finish(announced)
      const streamed = ground.request(post())
      streamed.consumer.onData(bytes('12345'))
      assert.equal(streamed.responder.head, undefined)
      streamed.consumer.onData(bytes('6'))
      assert.equal(streamed.responder.head!.status, 413)
      assert.equal(ground.calls[0]!.isAborted, true)
      streamed.consumer.onData(bytes('7'))
      finish(streamed)
    }))

  it('that waits for a 100 is asked for only when an endpoint takes it', () =>
    onGround({ match: { path: { type: 'prefix', value: '/known' } } }, (ground) => {
      const known = ground.request({ ...post(1), target: '/known', expectsContinue: true })
      const unknown = ground.request({ ...post(1), expectsContinue: true })
      assert.deepEqual([known.responder.informational, unknown.responder.informational], [[100], []])
      assert.equal(ground.calls[0]!.request.expectsContinue, false)
      known.consumer.onData(bytes('x'))
      known.consumer.onEnd(undefined)
      ground.calls[0]!.begins(200, true)
      finish(known)
      finish(unknown)
    }))

  it('that is answered early is given up, and its connection too', () =>
    onGround({}, (ground) => {
      const sent = ground.request(post())
      sent.consumer.onData(bytes('x'))
      ground.calls[0]!.answers(403, 'no')
      assert.deepEqual([sent.responder.body, ground.calls[0]!.isAborted], ['no', true])
      sent.consumer.onData(bytes('y'))
      sent.consumer.onEnd(undefined)
      finish(sent)
    }))
})
