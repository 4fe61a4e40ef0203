import assert from 'node:assert/strict'
import { failsWith, PromiseList, upTo } from './ground.ts'

const counters = new PromiseList('Counters')

counters.onEvery('every addition counts once, and is told a value that the counter had', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  assert.equal(await ground.plane.counter(name).get(), 0)
  const values = await Promise.all(upTo(90).map((i) => programs[i % 3]!.counter(name).increment()))
  assert.deepEqual(
    values.sort((a, b) => a - b),
    upTo(90).map((i) => i + 1),
  )
  assert.equal(await programs[1]!.counter(name).add(-100), -10)
  assert.equal(await programs[2]!.counter(name).get(), -10)
  await programs[0]!.counter(name).set(7)
  assert.equal(await programs[1]!.counter(name).get(), 7)
})

counters.onEvery('a conditional addition never passes its bounds, whoever else adds', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  await ground.plane.counter(name).set(20)
  const takes = await Promise.all(upTo(45).map((i) => programs[i % 3]!.counter(name).addIf(-1, { min: 0 })))
  assert.equal(takes.filter(({ applied }) => applied).length, 20)
  for (const { value } of takes) assert.ok(value >= 0)
  assert.equal(await ground.plane.counter(name).get(), 0)
  assert.deepEqual(await ground.plane.counter(name).addIf(6, { max: 5 }), { applied: false, value: 0 })
})

counters.onEvery('what is no safe integer is refused', async (ground) => {
  const counter = ground.plane.counter(ground.name())
  await assert.rejects(counter.add(0.5), failsWith('INVALID_ARGUMENT', 'not-applied'))
  await counter.set(Number.MAX_SAFE_INTEGER)
  await assert.rejects(counter.increment(), failsWith('TOO_LARGE', 'not-applied'))
  assert.equal(await counter.get(), Number.MAX_SAFE_INTEGER)
})

counters.onCoordination('a sharded counter sums exactly', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  const handles = programs.map((plane) => plane.shardedCounter(name, { shards: 4 }))
  await Promise.all(upTo(60).map((i) => handles[i % 3]!.add(i % 2 === 0 ? 3 : -1)))
  for (const handle of handles) assert.equal(await handle.get(), 60)
})

const ids = new PromiseList('Ids')

ids.onEvery('no id is given twice, and those of one generator rise', async (ground) => {
  const programs = await ground.programs(3)
  const generators = programs.map((plane) => plane.ids(ground.name()))
  try {
    const made = await Promise.all(
      generators.map(async (generator) => {
        const own: bigint[] = []
        for (const _ of upTo(500)) own.push(await generator.next())
        return own
      }),
    )
    assert.equal(new Set(made.flat()).size, 1_500)
    for (const own of made) for (const [i, id] of own.entries()) if (i > 0) assert.ok(id > own[i - 1]!, `${i}`)
    const text = await generators[0]!.nextString()
    assert.match(text, /^[0-9a-hjkmnp-tv-z]{13}$/)
    assert.ok((await generators[0]!.nextString()) > text, 'their text has their order')
  } finally {
    await Promise.all(generators.map((generator) => generator.close()))
  }
  await assert.rejects(generators[0]!.next(), failsWith('CLOSED'))
})

const limits = new PromiseList('Rate limits')

limits.onEvery('all processes together take no more than the limit', async (ground) => {
  const programs = await ground.programs(3)
  const limiter = programs.map((plane) => plane.rateLimiter(ground.name(), { limit: 10, intervalMs: 3_600_000 }))
  const takes = await Promise.all(upTo(30).map((i) => limiter[i % 3]!.take()))
  assert.equal(takes.filter(({ allowed }) => allowed).length, 10)
  for (const { allowed, retryAfterMs } of takes) assert.equal(retryAfterMs > 0, !allowed)
  assert.equal((await limiter[0]!.take()).remaining, 0)
  await limiter[0]!.reset()
  assert.equal((await limiter[1]!.take(10)).allowed, true)
  await assert.rejects(limiter[1]!.take(11), failsWith('INVALID_ARGUMENT', 'not-applied'))
})

limits.onEvery('what was refused is allowed after the time that was told', async (ground) => {
  const limiter = ground.plane.rateLimiter(ground.name(), { limit: 1, intervalMs: 300 })
  assert.equal((await limiter.take()).allowed, true)
  const { allowed, retryAfterMs } = await limiter.take()
  if (!allowed) {
    assert.ok(retryAfterMs <= 300)
    await ground.until('it is allowed', async () => (await limiter.take()).allowed)
  }
})

export const numberPromises = [...counters.promises, ...ids.promises, ...limits.promises]
