import assert from 'node:assert/strict'
import type { Leadership } from '../../index.ts'
import { failsWith, PromiseList, throwsWith, upTo } from './ground.ts'

const list = new PromiseList('Elections')
export const electionPromises = list.promises

list.onCoordination('one leads at a time, and each after it has a greater token', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  let leaders = 0
  const tokens: number[] = []
  await Promise.all(
    upTo(6).map(async (i) => {
      const leadership = await programs[i % 3]!.election(name).campaign({ value: `c${i}`, waitMs: 20_000 })
      assert.equal(++leaders, 1)
      leadership.assertLeader()
      tokens.push(leadership.fencingToken)
      await ground.pause(1)
      leaders--
      await leadership.resign()
    }),
  )
  for (const [i, token] of tokens.entries()) if (i > 0) assert.ok(token > tokens[i - 1]!, `${tokens}`)
  assert.equal(await ground.plane.election(name).leader(), undefined)
})

list.onCoordination('everyone can see who leads and what it proclaims, and converges', async (ground) => {
  const [candidate, observer] = await ground.programs(2)
  const name = ground.name()
  const ending = new AbortController()
  let seen: string | undefined = 'nothing yet'
  const observing = (async () => {
    for await (const leader of observer!.election(name).observe({ signal: ending.signal })) seen = leader?.text()
  })()
  const ended = assert.rejects(observing, failsWith('CANCELLED'))
  await ground.until('nobody leads', () => seen === undefined)
  const leadership = await candidate!.election(name).campaign({ value: 'node-1' })
  await ground.until('node-1 leads', () => seen === 'node-1')
  for (const i of upTo(5)) await leadership.proclaim(`value ${i}`)
  assert.equal((await observer!.election(name).leader())?.text(), 'value 4')
  assert.equal((await observer!.election(name).leader())?.fencingToken, leadership.fencingToken)
  await ground.until('the last value', () => seen === 'value 4')
  await leadership.resign()
  await ground.until('nobody leads again', () => seen === undefined)
  assert.throws(() => leadership.assertLeader(), throwsWith('NOT_LEADER'))
  assert.equal(leadership.remainingMs(), 0)
  await assert.rejects(leadership.proclaim('late'), failsWith('NOT_LEADER', 'not-applied'))
  ending.abort()
  await ended
})

list.onCoordination('leadership passes on when the leader’s session ends', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const session = await ground.session(first!)
  const old = await first!.election(name).campaign({ session })
  const next = second!.election(name).campaign({ waitMs: 20_000 })
  await session.close()
  assert.equal(old.signal.aborted, true)
  const leadership: Leadership = await next
  assert.ok(leadership.fencingToken > old.fencingToken)
  await leadership.resign()
})

list.onCoordination('a candidate that gives up does not win later', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const leadership = await first!.election(name).campaign()
  await assert.rejects(second!.election(name).campaign({ waitMs: 50 }), failsWith('TIMEOUT'))
  const giving = new AbortController()
  const standing = second!.election(name).campaign({ signal: giving.signal })
  giving.abort()
  await assert.rejects(standing, failsWith('CANCELLED'))
  await leadership.resign()
  await ground.until('nobody leads', async () => (await first!.election(name).leader()) === undefined)
})

list.onCoordination('work runs while it leads, and again after a loss', async (ground) => {
  const { plane } = ground
  const name = ground.name()
  const lost = await ground.session(plane)
  let runs = 0
  const first = plane.election(name).runWhileLeader({ session: lost }, () => {
    runs++
    return 'done'
  })
  assert.equal(await first, 'done')
  const second = await plane.election(name).runWhileLeader({ value: 'again' }, async (leadership) => {
    leadership.assertLeader()
    return (await plane.election(name).leader())?.text()
  })
  assert.deepEqual([second, runs], ['again', 1])
})
