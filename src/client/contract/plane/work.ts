import assert from 'node:assert/strict'
import { failsWith, PromiseList, throwsWith, upTo } from './ground.ts'

const schedules = new PromiseList('Schedules')

schedules.onCoordination('each slot is run by one process, at most once', async (ground) => {
  const programs = await ground.programs(2)
  const name = ground.name()
  const runs: { slot: number; token: number; by: number }[] = []
  const taking = programs.map((plane, by) =>
    plane.schedule(name, { everyMs: 150 }, ({ scheduledAtMs, fencingToken }) => {
      runs.push({ slot: scheduledAtMs, token: fencingToken, by })
    }),
  )
  await ground.until('it runs', () => runs.length >= 3)
  await taking[runs[0]!.by]!.close()
  const before = runs.length
  await ground.until('another goes on', () => runs.length >= before + 2)
  for (const schedule of taking) await schedule.close()
  for (const [i, { slot, token }] of runs.entries()) {
    assert.equal(slot % 150, 0)
    if (i > 0) assert.ok(slot > runs[i - 1]!.slot && token >= runs[i - 1]!.token, JSON.stringify(runs))
  }
  assert.notEqual(runs.at(-1)!.by, runs[0]!.by)
  assert.ok(runs.at(-1)!.token > runs[0]!.token)
})

const queues = new PromiseList('Queues')

queues.onCoordination('each job is removed once, and they are begun in order', async (ground) => {
  const programs = await ground.programs(3)
  const name = ground.name()
  for (const i of upTo(12)) await programs[i % 3]!.queue(name).enqueue(`job-${i}`)
  assert.equal(await ground.plane.queue(name).size(), 12)
  const alone = await programs[0]!.queue(name).dequeue({ waitMs: 10_000 })
  assert.equal(alone.text(), 'job-0')
  await alone.ack()
  const done: string[] = []
  await Promise.all(
    programs.map(async (plane) => {
      for (;;) {
        const job = await plane.queue(name).tryDequeue()
        if (job === undefined) return
        done.push(job.text())
        await job.ack()
      }
    }),
  )
  assert.deepEqual(
    done.sort(),
    upTo(11)
      .map((i) => `job-${i + 1}`)
      .sort(),
  )
  assert.equal(await ground.plane.queue(name).size(), 0)
  await assert.rejects(programs[0]!.queue(name).dequeue({ waitMs: 50 }), failsWith('TIMEOUT'))
})

queues.onCoordination('a job whose worker is lost goes back to its place, with a greater token', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  assert.equal((await first!.queue(name).enqueue('one', { id: 'a' })).added, true)
  assert.equal((await first!.queue(name).enqueue('one', { id: 'a' })).added, false)
  await first!.queue(name).enqueue('two')
  const session = await ground.session(first!)
  const lost = await first!.queue(name).dequeue({ session })
  await session.close()
  assert.throws(() => lost.assertHeld(), throwsWith('LOCK_LOST'))
  const job = await second!.queue(name).dequeue({ waitMs: 10_000 })
  assert.deepEqual([job.text(), job.id], ['one', 'a'])
  assert.ok(job.fencingToken > lost.fencingToken)
  await assert.rejects(lost.ack(), failsWith('LOCK_LOST', 'not-applied'))
  await job.ack()
  const next = await second!.queue(name).dequeue({ waitMs: 10_000 })
  assert.equal(next.text(), 'two')
  await next.ack()
})

queues.onCoordination('who waits for a job gets the one that comes', async (ground) => {
  const [first, second] = await ground.programs(2)
  const name = ground.name()
  const waiting = upTo(3).map(() => second!.queue(name).dequeue({ waitMs: 20_000 }))
  for (const i of upTo(3)) await first!.queue(name).enqueue(String(i))
  const jobs = await Promise.all(waiting)
  assert.deepEqual(jobs.map((job) => job.text()).sort(), ['0', '1', '2'])
  for (const job of jobs) await job.ack()
  assert.equal(await first!.queue(name).size(), 0)
})

export const workPromises = [...schedules.promises, ...queues.promises]
