import assert from 'node:assert/strict'
import type { Instance } from '../../index.ts'
import { failsWith, listed, PromiseList, sizeSchema, upTo } from './ground.ts'

const versioned = new PromiseList('Versioned data')

versioned.onCoordination('a write on what has changed meanwhile is refused, and told what is there', async (ground) => {
  const [first, second] = await ground.programs(2)
  const key = ground.name()
  const written = await first!.versioned().write(key, 'one', { ifVersion: 0 })
  assert.equal(written.version, 1)
  await second!.versioned().write(key, 'two', { ifVersion: 1 })
  await assert.rejects(first!.versioned().write(key, 'late', { ifVersion: 1 }), failsWith('CONFLICT', 'not-applied'))
  await assert.rejects(first!.versioned().remove(key, { ifRevision: written.revision }), failsWith('CONFLICT'))
  assert.equal((await first!.versioned().read(key))?.text(), 'two')
  await first!.versioned().remove(key, { ifVersion: 2 })
  assert.equal(await second!.versioned().read(key), undefined)
})

versioned.onCoordination('an update is applied exactly once, among others', async (ground) => {
  const programs = await ground.programs(3)
  const key = ground.name()
  await Promise.all(
    upTo(12).map((i) => programs[i % 3]!.versioned().update(key, (seen) => `${seen?.text() ?? ''}${i % 3}`)),
  )
  const text = (await ground.plane.versioned().read(key))!.text()
  assert.deepEqual([...text].sort().join(''), '000011112222')
})

versioned.onHistory('what a key has been', async (ground) => {
  const { plane } = ground
  const key = ground.name()
  for (const text of ['one', 'two']) await plane.kv.put(key, text)
  await plane.kv.delete(key)
  await plane.kv.put(key, 'three')
  const items = await listed(plane.versioned().history(key, { limit: 4 }))
  assert.deepEqual(
    items.map((item) => (item.deleted ? '-' : item.text())),
    ['three', '-', 'two', 'one'],
  )
})

const config = new PromiseList('Config')

config.onCoordination('what one sets, the others have near, under the defaults of each', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name('limits')
  const own = await first!.config(name, { schema: sizeSchema, defaults: { size: 5 } })
  const other = await second!.config(name, { schema: sizeSchema })
  try {
    assert.deepEqual([own.value.size, other.value.size], [5, 0])
    const changes: number[] = []
    other.on('change', ({ value }) => changes.push(value.size))
    await own.set({ size: 9 })
    assert.equal(own.value.size, 9)
    await ground.until('it arrives', () => other.value.size === 9)
    assert.deepEqual(changes, [9])
    await assert.rejects(own.set({ size: 'big' } as never), failsWith('VALIDATION_FAILED', 'not-applied'))
    await other.refresh()
    assert.ok(other.staleMs() < 10_000)
    assert.equal(other.value.size, 9)
    await own.unset([])
    await ground.until('the defaults hold again', () => own.value.size === 5 && other.value.size === 0)
  } finally {
    await Promise.all([own.close(), other.close()])
  }
})

config.onCoordination('what the schema refuses does not replace a good value', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name('limits')
  const near = await first!.config(name, { schema: sizeSchema, defaults: { size: 3 } })
  try {
    await second!.kv.put(`synod/config/${name.replaceAll('/', '%2F')}`, '{"size":"big"}')
    await ground.until('the problem is told', () => near.problem !== undefined)
    assert.equal(near.value.size, 3)
    await second!.kv.put(`synod/config/${name.replaceAll('/', '%2F')}`, '{"size":4}')
    await ground.until('it is good again', () => near.problem === undefined && near.value.size === 4)
  } finally {
    await near.close()
  }
})

const registry = new PromiseList('Registry')

registry.onCoordination('an instance is listed while it is registered, and watchers converge', async (ground) => {
  const [first, second] = await ground.programs(2)
  const service = ground.name('payments')
  const session = await ground.session(first!)
  const ending = new AbortController()
  let seen: readonly Instance[] | undefined
  const watching = (async () => {
    for await (const instances of second!.registry.watch(service, { signal: ending.signal })) seen = instances
  })()
  const ended = assert.rejects(watching, failsWith('CANCELLED'))
  const kept = await first!.registry.register({ service, id: 'a', address: '10.0.0.1', port: 80, metadata: { z: '1' } })
  const lost = await first!.registry.register({ service, id: 'b', address: '10.0.0.2', session })
  await ground.until('both are seen', () => seen?.length === 2)
  const [a] = await second!.registry.instances(service)
  assert.deepEqual([a?.id, a?.address, a?.port, a?.metadata, a?.healthy], ['a', '10.0.0.1', 80, { z: '1' }, true])
  await kept.update({ metadata: { z: '2' } })
  await ground.until('the change is seen', () => seen?.[0]?.metadata['z'] === '2')
  await session.close()
  await ground.until('the lost one goes', () => seen?.length === 1)
  assert.equal(lost.signal.aborted, true)
  await kept.close()
  assert.deepEqual(await second!.registry.instances(service), [])
  await ground.until('nobody is left', () => seen?.length === 0)
  ending.abort()
  await ended
})

registry.onCoordination('only the healthy are listed', async (ground) => {
  const { plane } = ground
  const service = ground.name('checked')
  let healthy = false
  const registration = await plane.registry.register({
    service,
    address: 'here',
    health: { type: 'heartbeat', ttlMs: 300, check: () => healthy },
  })
  try {
    assert.deepEqual(await plane.registry.instances(service), [])
    assert.equal((await plane.registry.instances(service, { includeUnhealthy: true })).length, 1)
    healthy = true
    await ground.until('it is healthy', async () => (await plane.registry.instances(service)).length === 1)
    healthy = false
    await ground.until('it is unhealthy', async () => (await plane.registry.instances(service)).length === 0)
  } finally {
    await registration.close()
  }
})

const failover = new PromiseList('Failover')

failover.onCoordination('a standby is promoted when the primary goes, with a greater token', async (ground) => {
  const programs = await ground.programs(2)
  const name = ground.name('db')
  const promoted: { by: number; token: number }[] = []
  const pairs = programs.map((plane, by) =>
    plane.failover(name, {
      instance: { id: `m${by}`, address: `10.0.0.${by}`, port: 5432 },
      onPromote: (token) => {
        promoted.push({ by, token })
      },
    }),
  )
  const view = programs[0]!.failoverView(name)
  await ground.until('there is a primary', async () => (await view.primary()) !== undefined)
  const { by, token } = promoted[0]!
  assert.equal((await view.primary())?.id, `m${by}`)
  assert.equal(pairs[by]!.role, 'primary')
  await pairs[by]!.close()
  await ground.until('the other is', async () => (await view.primary())?.id === `m${1 - by}`)
  assert.deepEqual([promoted.length, promoted[1]!.by], [2, 1 - by])
  assert.ok(promoted[1]!.token > token)
  await pairs[1 - by]!.close()
})

export const sharedDataPromises = [
  ...versioned.promises,
  ...config.promises,
  ...registry.promises,
  ...failover.promises,
]
