/** Requests that belong to one endpoint: by a cookie, or by a hashed key. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { BalanceSettings } from '../../traffic/upstream/index.ts'
import { headOf } from '../routing/testing/routes.ts'
import { hashKeyOf } from './hash-key.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import type { RequestPlan } from './request-plan.ts'
import { finish, onGround } from './testing/on-ground.ts'

describe('stickiness', () => {
  const sticky = { cookie: 'srv', maxAgeSeconds: 60, path: '/' }

  it('keeps a client at its endpoint until that is gone', () =>
    onGround({ sticky }, (ground) => {
      const first = ground.request()
      ground.calls[0]!.begins(200, true)
      const cookie = first.responder.head!.get('set-cookie')!
      assert.match(cookie, /^srv=[0-9a-f]{16}; Path=\/; Max-Age=60; HttpOnly; SameSite=Lax$/)
      finish(first)
      const fields = ['cookie', `a=b; xsrv=1; ${cookie.split(';')[0]}; c=d`]
      for (let i = 0; i < 4; i++) {
        const again = ground.request({ fields })
        ground.calls.at(-1)!.begins(200, true)
        assert.deepEqual([ground.calls.at(-1)!.endpoint, again.responder.head!.get('set-cookie')], ['a', undefined])
        finish(again)
      }
      ground.upstreams.get('app')!.upstream.setDraining('a', true)
      const moved = ground.request({ fields })
      ground.calls.at(-1)!.begins(200, true)
      assert.notEqual(ground.calls.at(-1)!.endpoint, 'a')
      assert.match(moved.responder.head!.get('set-cookie')!, /^srv=/)
      finish(moved)
    }))

  it('holds a client in its part of a split', () => {
    const to = [
      { upstream: 'app', weight: 9 },
      { upstream: 'canary', weight: 1 },
    ]
    return onGround(
      { sticky, action: { type: 'forward', to } },
      (ground) => {
        const endpoints: string[] = []
        let cookie = ''
        for (let i = 0; i < 10; i++) {
          const sent = ground.request()
          const call = ground.calls.at(-1)!
          call.begins(200, true)
          endpoints.push(call.endpoint)
          if (call.endpoint === 'k') cookie = sent.responder.head!.get('set-cookie')!.split(';')[0]!
          finish(sent)
        }
        assert.equal(endpoints.filter((each) => each === 'k').length, 1)
        const back = ground.request({ fields: ['cookie', cookie] })
        assert.equal(ground.calls.at(-1)!.endpoint, 'k')
        ground.calls.at(-1)!.begins(200, true)
        finish(back)
      },
      { upstreams: { app: ['a'], canary: ['k'] } },
    )
  })
})

describe('hashing', () => {
  const settings = {
    balance: {
      policy: 'maglev' as const,
      hashKey: { type: 'query' as const, name: 'user' },
      boundedLoadFactor: 0,
      slowStartMs: 0,
      panicThresholdPercent: 0,
      zone: '',
      subsetSize: 0,
    },
  }

  it('sends the same key to the same endpoint', () =>
    onGround(
      {},
      (ground) => {
        const chosen = new Set<string>()
        for (let i = 0; i < 20; i++) {
          const sent = ground.request({ target: `/${i}?user=7&x` })
          chosen.add(ground.calls.at(-1)!.endpoint)
          ground.calls.at(-1)!.begins(200, true)
          finish(sent)
        }
        assert.equal(chosen.size, 1)
      },
      { settings },
    ))

  it('takes an empty key for none: all who send one would meet at one endpoint', () => {
    const keyOf = (balance: Partial<BalanceSettings>, fields: readonly string[], target = '/'): string | undefined => {
      const head = headOf({ target, fields })
      const plan = { clientAddress: '192.0.2.1', head, path: { matched: '/' } } as unknown as RequestPlan
      const config = { settings: { balance: { ...settings.balance, ...balance } } }
      return hashKeyOf(plan, { isHashing: true, config } as unknown as ProxyUpstream)
    }
    const [query, header, cookie] = (['query', 'header', 'cookie'] as const).map((type) => ({
      hashKey: { type, name: 'user' },
    }))
    assert.deepEqual(
      [keyOf(query!, [], '/?user=7'), keyOf(query!, [], '/?user=&x'), keyOf(query!, [], '/?x')],
      ['7', undefined, undefined],
    )
    assert.deepEqual(
      [keyOf(header!, ['user', '7']), keyOf(header!, ['user', '']), keyOf(header!, [])],
      ['7', undefined, undefined],
    )
    assert.deepEqual(
      [keyOf(cookie!, ['cookie', 'user=7']), keyOf(cookie!, ['cookie', 'user=; a=b']), keyOf(cookie!, [])],
      ['7', undefined, undefined],
    )
    assert.equal(keyOf({ policy: 'ip-hash' }, []), '192.0.2.1')
  })
})
