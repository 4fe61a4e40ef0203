/** Connections that leave HTTP: both halves, their ends, and their silence. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { bytes, finish, onGround } from './testing/on-ground.ts'

describe('upgrades', () => {
  const upgrade = { upgrade: 'websocket' }

  it('carry bytes both ways, until the upstream ends', () =>
    onGround({ timeouts: { requestMs: 1_000 } }, (ground) => {
      const sent = ground.request(upgrade)
      const call = ground.calls[0]!
      assert.equal(call.request.upgrade, 'websocket')
      call.begins(101)
      sent.consumer.onData(bytes('ping'))
      call.sends('pong')
      assert.deepEqual([call.body, sent.responder.body, sent.responder.isUpgraded], ['ping', 'pong', true])
      ground.time.advance(500_000)
      sent.consumer.onData(bytes('ping'))
      ground.time.advance(500_000)
      call.sends('pong')
      sent.consumer.onEnd(undefined)
      call.ends()
      finish(sent)
      assert.equal(ground.log()[0]!['status'], 101)
    }))

  it('go on one way when the upstream ends first, until the client ends as well', () =>
    onGround({}, (ground) => {
      const sent = ground.request(upgrade)
      const call = ground.calls[0]!
      call.begins(101)
      call.ends()
      assert.equal(sent.responder.hasEnded, true)
      sent.consumer.onData(bytes('still here'))
      assert.deepEqual([call.body, call.hasEnded, call.isAborted], ['still here', false, false])
      sent.consumer.onEnd(undefined)
      assert.deepEqual([call.hasEnded, call.isAborted], [true, false])
      finish(sent)
    }))

  for (const first of ['client', 'upstream'] as const) {
    it(`count as a success when both have ended, the ${first} first`, () =>
      onGround({}, (ground) => {
        const sent = ground.request(upgrade)
        const call = ground.calls[0]!
        call.begins(101)
        if (first === 'upstream') call.ends()
        sent.consumer.onEnd(undefined)
        if (first === 'client') call.ends()
        finish(sent)
        assert.equal(call.isAborted, false)
        const [endpoint] = ground.upstreams.get('app')!.upstream.view().endpoints
        assert.deepEqual([endpoint!.successes, endpoint!.failures], [1, 0])
      }))
  }

  it('a client that breaks takes down the half that is left', () =>
    onGround({}, (ground) => {
      const sent = ground.request(upgrade)
      const call = ground.calls[0]!
      call.begins(101)
      call.ends()
      sent.consumer.onAborted('reset')
      assert.equal(call.isAborted, true)
    }))

  it('end when idle both ways, also when one side has ended', () =>
    onGround({ timeouts: { upgradedIdleMs: 1_000 } }, (ground) => {
      const idle = ground.request(upgrade)
      ground.calls[0]!.begins(101)
      ground.time.advance(1_030)
      assert.deepEqual([idle.responder.isAborted, ground.calls[0]!.isAborted], [true, true])
      const half = ground.request(upgrade)
      ground.calls[1]!.begins(101)
      ground.calls[1]!.ends()
      assert.equal(half.responder.hasEnded, true)
      ground.time.advance(1_030)
      assert.equal(half.responder.isAborted, true)
    }))

  it('may be declined', () =>
    onGround({}, (ground) => {
      const sent = ground.request(upgrade)
      ground.calls[0]!.answers(400, 'no')
      assert.equal(sent.responder.body, 'no')
      finish(sent)
    }))
})
