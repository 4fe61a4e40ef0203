/** `OPTIONS *` asks about the server as a whole, and not about anything on it (RFC 9110 §9.3.7). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headOf, routeWith } from '../routing/testing/routes.ts'
import { finish, onGround } from './testing/on-ground.ts'

const options = (authority = 'shop.example') => headOf({ method: 'OPTIONS', target: '*', authority })

describe('OPTIONS *', () => {
  it('takes the way of / and is forwarded as it came, whatever the path is rewritten to', () =>
    onGround(
      [
        routeWith({ match: { path: { type: 'prefix', value: '/api' } } }),
        routeWith({ match: { hosts: ['shop.example'] }, rewrite: { path: '/inner' } }),
        routeWith({ match: { path: { type: 'exact', value: '/' } }, rewrite: { host: 'inner.example' } }),
      ],
      (ground) => {
        const sent = [options(), options('other.example')].map((head) => ground.request(head))
        assert.deepEqual(
          ground.calls.map(({ request }) => [request.method, request.target, request.authority]),
          [
            ['OPTIONS', '*', 'shop.example'],
            ['OPTIONS', '*', 'inner.example'],
          ],
        )
        for (const call of ground.calls) call.answers(200)
        for (const each of sent) finish(each)
        assert.deepEqual(
          ground.log().map((line) => line['target']),
          ['*', '*'],
        )
      },
    ))

  it('has no route where / has none', () =>
    onGround({ match: { path: { type: 'prefix', value: '/api' } } }, (ground) => {
      const sent = ground.request(options())
      assert.equal(sent.responder.head!.status, 404)
      finish(sent)
    }))

  it('is redirected to a place that is one', () =>
    onGround({ action: { type: 'redirect', status: 308, location: 'https://$host$request_uri' } }, (ground) => {
      const sent = ground.request(options())
      assert.equal(sent.responder.head!.get('location'), 'https://shop.example/')
      finish(sent)
    }))
})

describe('Max-Forwards of OPTIONS', () => {
  const bounded = (hops: string, method = 'OPTIONS') =>
    headOf({ method, target: '/', fields: ['max-forwards', hops, 'x', 'y'] })

  it('goes down by one at each proxy, and is left alone where it means nothing', () =>
    onGround({}, (ground) => {
      const sent = [bounded('7'), bounded('7', 'GET'), bounded('many')].map((head) => ground.request(head))
      assert.deepEqual(
        ground.calls.map(({ request }) => request.fields),
        [
          ['max-forwards', '6', 'x', 'y'],
          ['max-forwards', '7', 'x', 'y'],
          ['max-forwards', 'many', 'x', 'y'],
        ],
      )
      for (const call of ground.calls) call.answers(204)
      for (const each of sent) finish(each)
    }))

  it('at 0 the proxy is who was asked', () =>
    onGround({}, (ground) => {
      const sent = ground.request(bounded('0'))
      assert.deepEqual([sent.responder.head!.status, ground.calls.length], [204, 0])
      assert.match(sent.responder.head!.get('allow')!, /GET, .*OPTIONS/)
      finish(sent)
    }))
})
