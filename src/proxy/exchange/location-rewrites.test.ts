/** Where answers send clients: what a route puts in the place of an upstream's own address. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { headOf } from '../routing/testing/routes.ts'
import { finish, onGround } from './testing/on-ground.ts'

const rules = [
  { from: 'http://app/v1/', to: 'https://$host/api/' },
  { from: 'http://app/', to: '/' },
  { from: 'http://$http_host/', to: '' },
]

async function placeFor(field: string, value: string): Promise<string | undefined> {
  let seen: string | undefined
  await onGround({ locationRewrites: rules }, (ground) => {
    const sent = ground.request(headOf({ authority: 'shop.example:81' }))
    ground.calls[0]!.begins(302, true, [field, value, 'date', 'D'])
    finish(sent)
    seen = sent.responder.head!.get(field)
  })
  return seen
}

describe('the place that an answer names', () => {
  it('is replaced by the first rule that fits, letter for letter', async () => {
    for (const [from, to] of [
      ['http://app/v1/x', 'https://shop.example/api/x'],
      ['http://app/v1', '/v1'],
      ['http://app/', '/'],
      ['http://app', 'http://app'],
      ['http://APP/x', 'http://APP/x'],
      ['http://shop.example:81/x', 'x'],
      ['/http://app/', '/http://app/'],
      ['', ''],
    ]) {
      assert.equal(await placeFor('location', from!), to)
      assert.equal(await placeFor('refresh', `0; Url=${from}`), `0; Url=${to}`)
    }
    assert.equal(await placeFor('refresh', 'http://app/'), 'http://app/')
    assert.equal(await placeFor('content-location', 'http://app/'), 'http://app/')
  })

  it('is each request’s own, where answers are alike', () =>
    onGround({ locationRewrites: [{ from: 'http://app/', to: '/$request_id/' }] }, (ground) => {
      const head = headOf({})
      const places = [0, 1].map((number) => {
        const sent = ground.request(head)
        ground.calls[number]!.begins(302, true, ['location', 'http://app/x', 'date', 'D'])
        finish(sent)
        return sent.responder.head!.get('location')
      })
      assert.match(String(places[0]), /^\/[0-9a-f]{32}\/x$/)
      assert.notEqual(places[0], places[1])
    }))

  it('leaves heads without one as they came', () =>
    onGround({ locationRewrites: rules }, (ground) => {
      const sent = ground.request()
      ground.calls[0]!.begins(200, true, ['x-a', 'http://app/', 'date', 'D'])
      finish(sent)
      assert.deepEqual(sent.responder.head!.fields, ['x-a', 'http://app/', 'date', 'D'])
    }))
})
