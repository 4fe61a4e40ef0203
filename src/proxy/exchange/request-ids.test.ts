/** Which id a request carries: the client's, one made here, or none. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headOf } from '../routing/testing/routes.ts'
import { finish, onGround } from './testing/on-ground.ts'

describe('a request', () => {
  it('carries an id where ids are made, and keeps one that is fit', () =>
    onGround(
      {},
      (ground) => {
        const made = ground.request({ fields: ['x-request-id', 'not fit'] })
        const kept = ground.request({ fields: ['x-request-id', 'abc'] })
        assert.match(ground.calls[0]!.request.fields.join(), /^x-request-id,[0-9a-f]{32}$/)
        assert.deepEqual(ground.calls[1]!.request.fields, ['x-request-id', 'abc'])
        for (const call of ground.calls) call.begins(200, true)
        finish(made)
        finish(kept)
        assert.equal(ground.log()[0]!['requestId'], ground.calls[0]!.request.fields[1])
      },
      { listener: { requestIds: 'generate' } },
    ))

  it('takes no id from clients where ids are replaced', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request({ fields: ['x-request-id', 'abc'] })
        const [, id] = ground.calls[0]!.request.fields
        assert.match(ground.calls[0]!.request.fields.join(), /^x-request-id,[0-9a-f]{32}$/)
        ground.calls[0]!.begins(200, true)
        finish(sent)
        assert.equal(ground.log()[0]!['requestId'], id)
      },
      { listener: { requestIds: 'replace' } },
    ))

  it('has an id in the log and in edits, another for each request, without sending it', () =>
    onGround({ responseHeaders: { remove: [], set: [['x-id', '$request_id']], add: [] } }, (ground) => {
      const head = headOf({})
      const answered = [0, 1].map((number) => {
        const sent = ground.request(head)
        ground.calls[number]!.begins(200, true)
        finish(sent)
        assert.deepEqual(ground.calls[number]!.request.fields, [])
        return sent.responder.head!.get('x-id')
      })
      const logged = ground.log().map((line) => line['requestId'])
      assert.match(String(logged[0]), /^[0-9a-f]{32}$/)
      assert.notEqual(logged[0], logged[1])
      assert.deepEqual(answered, logged)
    }))

  it('sends the id in whatever header the route sets, unless a header edit names it', () =>
    onGround(
      {
        requestHeaders: { remove: ['x-request-id'], set: [['x-trace', '$request_id']], add: [] },
      },
      (ground) => {
        const sent = ground.request()
        ground.calls[0]!.begins(200, true)
        finish(sent)
        assert.deepEqual(ground.calls[0]!.request.fields, ['x-trace', String(ground.log()[0]!['requestId'])])
      },
      { listener: { requestIds: 'generate' } },
    ))
})
