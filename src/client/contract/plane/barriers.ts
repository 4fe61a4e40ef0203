import assert from 'node:assert/strict'
import { failsWith, PromiseList, upTo } from './ground.ts'

const list = new PromiseList('Barriers')
export const barrierPromises = list.promises

list.onCoordination('a barrier holds everyone back until it is released', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  await second!.barrier(name).wait({ timeoutMs: 10_000 })
  assert.deepEqual([await first!.barrier(name).hold(), await second!.barrier(name).hold()], [true, false])
  await assert.rejects(second!.barrier(name).wait({ timeoutMs: 50 }), failsWith('TIMEOUT'))
  let passed = 0
  const waiting = upTo(4).map(async () => {
    await second!.barrier(name).wait({ timeoutMs: 20_000 })
    passed++
  })
  await ground.plane.barrier(name).hold()
  assert.equal(passed, 0)
  assert.equal(await first!.barrier(name).release(), true)
  await Promise.all(waiting)
  assert.equal(await first!.barrier(name).release(), false)
})

list.onCoordination('a double barrier lets all begin together and end together', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  const sessions = await Promise.all(programs.map((plane) => ground.session(plane)))
  for (const round of upTo(2)) {
    let asked = 0
    let leaving = 0
    await Promise.all(
      upTo(3).map(async (i) => {
        const member = programs[i]!.doubleBarrier(`${name}-${round}`, 3, { session: sessions[i] })
        asked++
        await member.enter({ timeoutMs: 20_000 })
        assert.equal(asked, 3, 'nobody begins before all are in')
        leaving++
        await member.leave({ timeoutMs: 20_000 })
        assert.equal(leaving, 3, 'nobody ends before all leave')
      }),
    )
  }
})
