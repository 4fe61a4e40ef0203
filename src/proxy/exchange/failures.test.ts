/** What a client is told when the other side fails, and what the log is told when the client does. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { finish, onGround, post } from './testing/on-ground.ts'

describe('a client that goes away', () => {
  for (const moment of ['before the head', 'within the body', 'after the response'] as const) {
    it(moment, () =>
      onGround({}, (ground) => {
        const sent = ground.request()
        const call = ground.calls[0]!
        if (moment !== 'before the head') call.begins(200)
        if (moment === 'after the response') call.ends()
        sent.consumer.onAborted('gone')
        assert.equal(call.isAborted, moment !== 'after the response')
        const [line] = ground.log()
        assert.deepEqual([line!['status'], line!['error']], [moment === 'before the head' ? 499 : 200, 'gone'])
        const endpoint = ground.upstreams.get('app')!.upstream.view().endpoints[0]!
        assert.equal(endpoint.failures, 0)
        assert.equal(ground.metrics.snapshot().listeners['web']!.aborted, 1)
      }),
    )
  }
})

describe('failures', () => {
  const table = [
    ['connect-refused', 502],
    ['connect-timeout', 504],
    ['closed-before-response', 502],
    ['malformed-response', 502],
    ['overflow', 503],
  ] as const
  for (const [kind, status] of table) {
    it(`${kind} is ${status}`, () =>
      onGround({}, (ground) => {
        const sent = ground.request()
        ground.calls[0]!.fails(kind)
        assert.equal(sent.responder.head!.status, status)
        assert.doesNotMatch(sent.responder.body, /10\.0\.0|at a/)
        finish(sent)
        assert.match(String(ground.log()[0]!['error']), /at a$/)
      }))
  }

  it('within the response break it', () =>
    onGround({ retry: { attemptsMax: 3, on: ['broken-connection'] } }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200)
      ground.calls[0]!.sends('half')
      ground.calls[0]!.fails('broken-response')
      assert.deepEqual([sent.responder.isAborted, sent.responder.body, ground.calls.length], [true, 'half', 1])
    }))

  it('without an endpoint are 503', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request({ ...post(1), expectsContinue: true })
        assert.deepEqual([sent.responder.head!.status, sent.responder.informational], [503, []])
        finish(sent)
      },
      { upstreams: { app: [] } },
    ))

  it('of an unwanted 101 are 502', () =>
    onGround({}, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(101)
      assert.equal(sent.responder.head!.status, 502)
      finish(sent)
    }))
})
