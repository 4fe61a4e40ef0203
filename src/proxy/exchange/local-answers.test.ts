/** What the proxy answers itself: refusals, redirects, fixed responses, rate limits. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headOf, routeWith } from '../routing/testing/routes.ts'
import { finish, onGround } from './testing/on-ground.ts'

describe('a request', () => {
  it('is refused when no route fits, the path is malformed, or the method would make this an open proxy', () =>
    onGround({ match: { hosts: ['only.example'] } }, (ground) => {
      const statuses = [
        headOf(),
        headOf({ target: '/../x' }),
        headOf({ method: 'CONNECT', target: 'a:1' }),
        headOf({ method: 'TRACE' }),
      ].map((head) => {
        const sent = ground.request(head)
        finish(sent)
        return sent.responder.head!.status
      })
      assert.deepEqual(statuses, [404, 400, 405, 405])
      assert.equal(ground.calls.length, 0)
    }))

  it('is answered by redirects and fixed responses', () =>
    onGround(
      [
        routeWith({
          match: { path: { type: 'prefix', value: '/old' } },
          action: { type: 'redirect', status: 308, location: 'https://$host$request_uri' },
        }),
        routeWith({ action: { type: 'respond', status: 418, body: 'tea', contentType: 'text/tea' } }),
      ],
      (ground) => {
        const moved = ground.request({ target: '/old/x?y' })
        assert.deepEqual(
          [moved.responder.head!.status, moved.responder.head!.get('location')],
          [308, 'https://shop.example/old/x?y'],
        )
        const tea = ground.request()
        assert.deepEqual(
          [tea.responder.head!.status, tea.responder.body, tea.responder.head!.bodyLength],
          [418, 'tea', 3],
        )
        const bare = ground.request({ method: 'HEAD' })
        assert.deepEqual([bare.responder.body, bare.responder.head!.bodyLength], ['', 3])
        for (const sent of [moved, tea, bare]) {
          assert.equal(sent.responder.head!.get('date'), 'Fri, 15 Jan 2027 08:00:00 GMT')
          finish(sent)
        }
      },
    ))
})

describe('rate limits', () => {
  it('refuse with 429, by client', () =>
    onGround({ rateLimit: { requestsPerSecond: 1, burst: 2, key: { type: 'header', name: 'x-key' } } }, (ground) => {
      const statuses = ['a', 'a', 'a', 'b'].map((key) => {
        const sent = ground.request({ fields: ['x-key', key] })
        if (sent.responder.head === undefined) ground.calls.at(-1)!.begins(200, true)
        finish(sent)
        return [sent.responder.head!.status, sent.responder.head!.get('retry-after')]
      })
      assert.deepEqual(statuses, [
        [200, undefined],
        [200, undefined],
        [429, '1'],
        [200, undefined],
      ])
    }))
})
