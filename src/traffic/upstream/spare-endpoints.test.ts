/** Who gets a request that everybody who gets requests was tried for. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { type EndpointAddress, type UpstreamEndpoint, upstreamSettingsDefault } from './index.ts'
import { address, fail, onUpstreamGround, spread } from './testing/upstream-ground.ts'

const { balance } = upstreamSettingsDefault
const listed = (...endpoints: EndpointAddress[]) => ({ sources: [{ type: 'static', endpoints } as const] })
const backup = { priority: 1 }

/** Excludes those with these ids, as whoever tried them does. */
const tried = (...ids: string[]) => ({ isExcluded: ({ id }: UpstreamEndpoint): boolean => ids.includes(id) })
const idOf = (picked: UpstreamEndpoint | string): string => (typeof picked === 'string' ? picked : picked.id)

suite('when all who get requests were tried', () => {
  test('a backup is next, although nobody was ejected yet', () =>
    onUpstreamGround(1, async ({ open }) => {
      const upstream = open(listed(address('a'), address('z', { priority: 2 }), address('b', backup)))
      await upstream.ready()
      assert.deepEqual(spread(upstream, 10), { a: 10 })
      assert.equal(idOf(upstream.pick(tried('a'))), 'b')
      assert.equal(idOf(upstream.pick(tried('a', 'b'))), 'z')
      assert.equal(upstream.pick(tried('a', 'b', 'z')), 'all-tried')
      assert.equal(upstream.view().refusals['all-tried'], 1)
      // For stickiness they still get nothing.
      assert.equal(upstream.find('b'), undefined)
    }))

  test('the backup with least to do for its weight is taken, and of equals each', () =>
    onUpstreamGround(2, async ({ open }) => {
      const upstream = open(
        listed(address('a'), address('b', { ...backup, weight: 2 }), address('c', backup), address('d', backup)),
      )
      await upstream.ready()
      const counts: Record<string, number> = {}
      for (let n = 0; n < 400; n++) {
        const id = idOf(upstream.pick(tried('a')))
        counts[id] = (counts[id] ?? 0) + 1
      }
      for (const id of ['b', 'c', 'd']) assert.ok(counts[id]! > 80, JSON.stringify(counts))
      const begin = (id: string) => upstream.begin(upstream.endpoints.find((one) => one.id === id)!)
      for (const id of ['c', 'd']) begin(id)
      assert.equal(idOf(upstream.pick(tried('a'))), 'b')
      // 1 of 2 is less than 1 of 1.
      begin('b')
      assert.equal(idOf(upstream.pick(tried('a'))), 'b')
      begin('b')
      begin('b')
      assert.notEqual(idOf(upstream.pick(tried('a'))), 'b')
    }))

  test('another zone is next, and nobody outside the subset', () =>
    onUpstreamGround(3, async ({ open }) => {
      const near = address('near', { zone: 'x' })
      const upstream = open({
        ...listed(near, address('far', { zone: 'y' })),
        balance: { ...balance, zone: 'x' },
      })
      await upstream.ready()
      assert.deepEqual(spread(upstream, 10), { near: 10 })
      assert.equal(idOf(upstream.pick(tried('near'))), 'far')
      const some = open({ ...listed(address('a'), address('b'), address('c')), balance: { ...balance, subsetSize: 1 } })
      await some.ready()
      const chosen = idOf(some.pick({}))
      assert.equal(some.pick(tried(chosen)), 'all-tried')
    }))

  test('those that are drained or ejected are not', () =>
    onUpstreamGround(4, async ({ open }) => {
      const upstream = open(listed(address('a'), address('b', backup), address('c', backup), address('d', backup)))
      await upstream.ready()
      upstream.setDraining('b', true)
      fail(upstream, 'c', 5)
      assert.equal(upstream.endpoints[2]!.state, 'ejected')
      assert.equal(idOf(upstream.pick(tried('a'))), 'd')
      assert.equal(upstream.pick(tried('a', 'd')), 'all-tried')
    }))
})
