/** A request that goes to an endpoint and comes back: what is changed on the way, and what stays the same object. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RouteConfig } from '../config/index.ts'
import { headOf, routeWith } from '../routing/testing/routes.ts'
import { MadeHead } from './answers.ts'
import { finish, onGround } from './testing/on-ground.ts'

describe('a request', () => {
  it('goes to an endpoint, and its answer back', () =>
    onGround({}, (ground) => {
      const sent = ground.request({ target: '/a?b', fields: ['accept', '*/*', 'expect', 'x', 'forwarded', 'for=1'] })
      const [call] = ground.calls
      assert.deepEqual(
        [call!.request.target, call!.request.authority, call!.request.fields],
        ['/a?b', 'shop.example', ['accept', '*/*']],
      )
      ground.time.advance(5)
      call!.begins(200, false, ['x', 'y', 'date', 'D'])
      call!.sends('hel')
      call!.sends('lo')
      call!.ends(['t', '1'])
      assert.deepEqual(
        [sent.responder.head?.fields, sent.responder.body, sent.responder.trailers],
        [['x', 'y', 'date', 'D'], 'hello', ['t', '1']],
      )
      finish(sent)
      const [line] = ground.log()
      assert.deepEqual(
        [
          line!['status'],
          line!['bytes'],
          line!['upstream'],
          line!['upstreamDurationMs'],
          line!['attempts'],
          line!['error'],
        ],
        [200, 5, '10.0.0.1:80', 5, 1, ''],
      )
      const counters = ground.metrics.snapshot().listeners['web']!
      assert.deepEqual([counters.requestsByClass[2], counters.bytesOut], [1, 5])
    }))

  it('reuses the outgoing request and an untouched response head for the same head', () =>
    onGround({}, (ground) => {
      const head = headOf()
      const first = ground.request(head)
      const second = ground.request(head)
      assert.equal(ground.calls[0]!.request, ground.calls[1]!.request)
      for (const call of ground.calls) call.begins(204, true, ['date', 'D'])
      finish(first)
      finish(second)
    }))

  it('gets a date when the upstream sent none, and response edits', () =>
    onGround({ responseHeaders: { remove: ['server'], set: [['x-a', '$host']], add: [] } }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200, true, ['server', 's'])
      assert.deepEqual(sent.responder.head!.fields, ['x-a', 'shop.example', 'date', 'Fri, 15 Jan 2027 08:00:00 GMT'])
      finish(sent)
    }))

  it('of two routes keeps the edits of each, though the upstream answers both with the same head', () => {
    const edited = (value: string): RouteConfig =>
      routeWith({
        match: { path: { type: 'prefix', value } },
        responseHeaders: { remove: [], set: [['x-route', value]], add: [] },
      })
    return onGround([edited('/a'), edited('/b')], (ground) => {
      const shared = new MadeHead(200, ['date', 'D'], 0)
      for (const target of ['/a', '/b', '/a']) {
        const sent = ground.request({ target })
        ground.calls.at(-1)!.beginsWith(shared)
        assert.deepEqual(sent.responder.head!.fields, ['date', 'D', 'x-route', target])
        finish(sent)
      }
    })
  })

  it('passes interim responses on, but no 100, and none to HTTP/1.0', () =>
    onGround({}, (ground) => {
      const sent = ground.request()
      const old = ground.request({ version: '1.0' })
      for (const call of ground.calls) {
        call.informs(100)
        call.informs(103)
        call.begins(200, true)
      }
      assert.deepEqual([sent.responder.informational, old.responder.informational], [[103], []])
      finish(sent)
      finish(old)
    }))

  it('finds new routes after a change; what is under way ends by the old', () =>
    onGround({}, (ground) => {
      const head = headOf()
      const old = ground.request(head)
      const { upstreams, handler } = ground
      handler.reconfigure({
        listener: ground.listenerWith([
          routeWith({ action: { type: 'respond', status: 200, body: 'new', contentType: 'a/b' } }),
        ]),
        upstreams,
      })
      const fresh = ground.request(head)
      assert.equal(fresh.responder.body, 'new')
      ground.calls[0]!.answers(200, 'old')
      assert.equal(old.responder.body, 'old')
      finish(old)
      finish(fresh)
      assert.throws(
        () => handler.reconfigure({ listener: ground.listenerWith([routeWith()]), upstreams: new Map() }),
        /names upstream app/,
      )
      finish(ground.request(head))
    }))
})
