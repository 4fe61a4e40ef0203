import assert from 'node:assert/strict'
import { failsWith, PromiseList, throwsWith } from './ground.ts'

const list = new PromiseList('Sessions')
export const sessionPromises = list.promises

list.onCoordination('a session lives on beyond its time to live, as long as it is renewed', async (ground) => {
  const [first, second] = await ground.programs(2)
  const sessions = [await ground.session(first!, 1_000), await ground.session(second!, 1_000)]
  assert.notEqual(sessions[0]!.id, sessions[1]!.id)
  const key = ground.name()
  await first!.kv.put(key, 'x', { session: sessions[0] })
  const untilMs = ground.nowMs + 2_500
  while (ground.nowMs < untilMs) {
    for (const session of sessions) session.assertAlive()
    await ground.pause(50)
  }
  assert.ok(sessions[0]!.remainingMs() > 0)
  assert.equal((await second!.kv.get(key))?.text(), 'x')
})

list.onCoordination('what hangs on a session goes when it is closed, and nothing else does', async (ground) => {
  const [first, second] = await ground.programs(2)
  const session = await ground.session(first!)
  const other = await ground.session(first!)
  await first!.kv.put(ground.name('a'), '', { session })
  await first!.kv.put(ground.name('b'), '', { session: other })
  await first!.kv.put(ground.name('c'), '')
  await session.close()
  const there = await Promise.all(['a', 'b', 'c'].map((name) => second!.kv.get(ground.name(name))))
  assert.deepEqual(
    there.map((entry) => entry !== undefined),
    [false, true, true],
  )
  assert.equal(session.signal.aborted, true)
  assert.equal(session.remainingMs(), 0)
  assert.throws(() => session.assertAlive(), throwsWith('SESSION_LOST'))
  other.assertAlive()
  await assert.rejects(first!.kv.put(ground.name('d'), '', { session }), failsWith('SESSION_LOST', 'not-applied'))
  assert.equal(await second!.kv.get(ground.name('d')), undefined)
})

list.onCoordination(
  'sessions end with the connection that is closed',
  async (ground) => {
    const connection = await ground.anotherConnection()
    const session = await connection.session({ ttlMs: 60_000 })
    await connection.kv.put(ground.name(), '', { session })
    await connection.close()
    assert.equal(session.signal.aborted, true)
    assert.equal(await ground.plane.kv.get(ground.name()), undefined)
  },
  'programs',
)
