import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Transaction } from '../driver/index.ts'
import { LockWorld } from '../locks/testing/lock-world.ts'
import { onGround } from '../turns/testing/client-ground.ts'
import type { Fate } from '../turns/testing/faulty-driver.ts'
import { createQueue, type Job } from './index.ts'

const all = 'synod/queues/q/'
const fates = ['lost-answer', 'lost-request', 'late', 'refused'] as const

test('jobs come in the order in which they were added, each removed by its acknowledgement', () =>
  onGround(1, async ({ client, keys }) => {
    const { context } = client()
    const queue = createQueue(context, 'q')
    // Ids whose byte order is not the order of adding.
    for (const id of ['m', 'z', 'a', 'ä/1'])
      assert.deepEqual(await queue.enqueue(`job ${id}`, { id }), { id, added: true })
    assert.equal(await queue.size(), 4)
    const seen: string[] = []
    for (let i = 0; i < 4; i++) {
      const job = await createQueue(client().context, 'q').dequeue()
      seen.push(`${job.id}: ${job.text()}`)
      await job.ack()
      await job.ack()
      assert.equal(job.signal.aborted, true)
    }
    assert.deepEqual(seen, ['m: job m', 'z: job z', 'a: job a', 'ä/1: job ä/1'])
    assert.equal(await queue.tryDequeue(), undefined)
    assert.equal(await queue.size(), 0)
    await assert.rejects(queue.dequeue({ waitMs: 100 }), { code: 'TIMEOUT' })
    assert.deepEqual(
      (await keys(all)).filter((key) => !key.startsWith(`${all}added/`) && !key.startsWith(`${all}waiting/`)),
      [],
    )
  }))

test('an id is added once while its job is there, and by one session ever; ids that were made up are forgotten', () =>
  onGround(2, async ({ client, keys }) => {
    const { context } = client()
    const queue = createQueue(context, 'q')
    const other = createQueue(client().context, 'q')
    assert.equal((await queue.enqueue('x', { id: 'one' })).added, true)
    assert.equal((await queue.enqueue('y', { id: 'one' })).added, false)
    assert.equal((await other.enqueue('z', { id: 'one' })).added, false)
    await (await queue.dequeue()).ack()
    assert.equal((await queue.enqueue('x', { id: 'one' })).added, false)
    for (let i = 0; i < 40; i++) await other.enqueue(new Uint8Array([i]))
    assert.equal((await keys(`${all}added/`)).length, 2)
    assert.equal(await queue.size(), 40)
    await assert.rejects(queue.enqueue('x', { id: '' }), { code: 'INVALID_ARGUMENT' })
  }))

for (const fate of fates) {
  test(`a job whose every first transaction is ${fate} is added, claimed and removed once`, () =>
    onGround(3, async ({ client }) => {
      const producer = client()
      const worker = client()
      const queue = createQueue(producer.context, 'q')
      producer.driver.fateOf = once(fate)
      assert.equal((await queue.enqueue('x')).added, true)
      await Promise.all(producer.driver.late)
      assert.equal(await queue.size(), 1)
      worker.driver.fateOf = once(fate)
      const job = await createQueue(worker.context, 'q').dequeue()
      await Promise.all(worker.driver.late)
      assert.equal(await queue.tryDequeue(), undefined)
      worker.driver.fateOf = once(fate)
      await job.ack()
      await Promise.all(worker.driver.late)
      assert.equal(await queue.size(), 0)
    }))
}

test('a job that was added and done before its producer heard is not added again', () =>
  onGround(4, async ({ client, until }) => {
    const producer = client()
    const worker = createQueue(client().context, 'q')
    let isDone = false
    let done: Promise<void> | undefined
    producer.driver.fateOf = () => {
      if (done !== undefined) return isDone ? 'passes' : 'refused'
      done = worker
        .dequeue()
        .then((job) => job.ack())
        .then(() => {
          isDone = true
        })
      return 'lost-answer'
    }
    assert.equal((await createQueue(producer.context, 'q').enqueue('x')).added, true)
    await until(() => isDone)
    assert.equal(await worker.size(), 0)
  }))

test('a lost worker: its job goes to the next one with a greater token, and it cannot remove it', () =>
  onGround(5, async ({ client }) => {
    const first = client()
    const queue = createQueue(client().context, 'q')
    await queue.enqueue('x')
    await queue.enqueue('y')
    const lost = await createQueue(first.context, 'q').dequeue()
    first.driver.cut()
    const [y, x] = [await queue.dequeue(), await queue.dequeue()]
    assert.deepEqual([y.text(), x.text()], ['y', 'x'])
    assert.equal(lost.signal.aborted, true)
    assert.throws(() => lost.assertHeld(), { code: 'LOCK_LOST' })
    assert.ok(x.fencingToken > lost.fencingToken)
    first.driver.heal()
    await assert.rejects(lost.ack(), { code: 'LOCK_LOST', outcome: 'not-applied' })
    assert.equal(await queue.size(), 2)
    await x.ack()
    await assert.rejects(lost.ack(), { code: 'LOCK_LOST', outcome: 'not-applied' })
    await y.release()
    assert.equal((await queue.dequeue()).text(), 'y')
  }))

test('workers that wait stand in line: a job wakes the first, and only one watches', () =>
  onGround(6, async ({ client, keys, until }) => {
    const workers = Array.from({ length: 5 }, () => client())
    const got: string[] = []
    const waiting = workers.map(async ({ context }, index) => {
      await until(async () => (await keys(`${all}waiting/`)).length === index)
      const job = await createQueue(context, 'q').dequeue()
      got.push(`${index} ${job.text()}`)
      return job
    })
    await until(async () => (await keys(`${all}waiting/`)).length === 5)
    const before = workers.map(({ driver }) => driver.transactions)
    const queue = createQueue(client().context, 'q')
    await queue.enqueue('x')
    await until(() => got.length === 1)
    for (let i = 1; i < 5; i++) assert.equal(workers[i]!.driver.transactions, before[i])
    for (const value of ['y', 'z', 'v', 'w']) await queue.enqueue(value)
    await Promise.all(waiting)
    assert.deepEqual(got, ['0 x', '1 y', '2 z', '3 v', '4 w'])
    await until(async () => (await keys(`${all}waiting/`)).length === 0)
  }))

test('a wait that is aborted leaves neither claim nor place', () =>
  onGround(7, async ({ client, keys, until }) => {
    const abort = new AbortController()
    const waiting = createQueue(client().context, 'q').dequeue(abort)
    await until(async () => (await keys(`${all}waiting/`)).length === 1)
    abort.abort()
    await assert.rejects(waiting, { code: 'CANCELLED' })
    await until(async () => (await keys(all)).length === 0)
  }))

test('an enqueue given up while under way says that its outcome is unknown', () =>
  onGround(8, async ({ client }) => {
    const { context, driver } = client()
    driver.fateOf = () => 'late'
    const adding = createQueue(context, 'q').enqueue('x', { timeoutMs: 300 })
    await assert.rejects(adding, { outcome: 'unknown' })
    driver.fateOf = () => 'passes'
    await Promise.all(driver.late)
    assert.equal(await createQueue(context, 'q').size(), 1)
  }))

for (let seed = 300; seed < 312; seed++) {
  test(`every job is added once, done at least once, removed once, over links that fail (seed ${seed})`, () =>
    onGround(seed, async ({ client, simulation, pass, until, keys }) => {
      const { random } = simulation
      let failing = true
      const fateOf = (): Fate => (failing && random.below(4) === 0 ? fates[random.below(4)]! : 'passes')
      const done = new Map<string, number>()
      const acknowledged = new Map<string, number>()
      const jobs = 30
      const producing = Array.from({ length: 2 }, async (_, producer) => {
        const { context, driver } = client(60_000)
        driver.fateOf = fateOf
        const queue = createQueue(context, 'q')
        for (let i = 0; i < jobs / 2; i++) {
          await queue.enqueue(`${producer}-${i}`)
          await pass(random.below(100))
        }
      })
      const stop = new AbortController()
      const working = Array.from({ length: 4 }, async () => {
        const { context, driver } = client(1000)
        driver.fateOf = fateOf
        const queue = createQueue(context, 'q')
        while (!stop.signal.aborted) {
          const job = await queue.dequeue({ signal: stop.signal, waitMs: 2000 }).catch(() => undefined)
          if (job === undefined) continue
          await work(job, driver)
        }
        driver.heal()
      })
      const work = async (job: Job, driver: ReturnType<typeof client>['driver']): Promise<void> => {
        const key = job.text()
        done.set(key, (done.get(key) ?? 0) + 1)
        await pass(random.below(200))
        if (failing && random.below(6) === 0) {
          driver.cut()
          await until(() => job.signal.aborted)
          driver.heal()
        }
        await job.ack({ timeoutMs: 3000 }).then(
          () => acknowledged.set(key, (acknowledged.get(key) ?? 0) + 1),
          () => job.release().catch(() => {}),
        )
      }
      await Promise.all(producing)
      failing = false
      const queue = createQueue(client().context, 'q')
      await until(async () => (await queue.size()) === 0)
      stop.abort()
      await Promise.all(working)
      assert.equal(done.size, jobs)
      for (const [key, times] of acknowledged) assert.equal(times, 1, `${key} was removed ${times} times`)
      await until(async () => (await keys(`${all}claims/`)).length + (await keys(`${all}waiting/`)).length === 0)
    }))
}

function once(fate: Fate): (transaction: Transaction) => Fate {
  let used = false
  return () => {
    if (used) return 'passes'
    used = true
    return fate
  }
}

test('a worker that stood still past the end of its session while it claimed gets no job', async () => {
  const at = await LockWorld.open({ seed: 12, clients: 2 })
  const worker = at.clients[0]!
  await at.run(createQueue(at.clients[1]!.context, 'q').enqueue('x'))
  const session = await at.run(worker.context.sessions.shared())
  const dequeued = createQueue(worker.context, 'q')
    .dequeue()
    .then(
      () => 'a job',
      (error: { code: string }) => error.code,
    )
  // The claim is made, and the answer to the last question is on its way.
  await at.simulation.run({ until: () => worker.driver.callsOf('get') > 0 })
  worker.node.pause()
  while (session.remainingMs() > 0) await at.advance(100)
  worker.node.resume()
  assert.equal(await at.run(dequeued), 'SESSION_LOST')
})

test('markers of made-up ids are forgotten also by a program that makes the queue anew for each job', () =>
  onGround(31, async ({ client, keys }) => {
    const { context } = client()
    for (let i = 0; i < 40; i++) await createQueue(context, 'q').enqueue(new Uint8Array([i]))
    assert.equal((await keys(`${all}added/`)).length, 1)
  }))

test('an enqueue that was applied unheard is not told as not applied when the lease is gone', () =>
  onGround(32, async ({ client }) => {
    const { context, driver } = client(60_000)
    const session = await context.sessions.open({ ttlMs: 60_000 })
    const other = client(60_000).context
    const { transact } = driver
    driver.transact = async (transaction, options) => {
      driver.transact = transact
      driver.fateOf = () => 'lost-answer'
      try {
        return await transact.call(driver, transaction, options)
      } finally {
        driver.fateOf = () => 'passes'
        await (await createQueue(other, 'q').dequeue()).ack()
        await other.driver.revokeLease(session.leaseId)
      }
    }
    await assert.rejects(createQueue(context, 'q').enqueue('x', { session }), {
      code: 'SESSION_LOST',
      outcome: 'unknown',
    })
  }))

test('waits end in time also while there is no session to wait with', () =>
  onGround(33, async ({ client }) => {
    const { context, driver } = client()
    driver.cut()
    const { clock } = driver.outside
    const beganMs = clock.monotonicMs()
    await assert.rejects(createQueue(context, 'q').dequeue({ waitMs: 100 }), { code: 'TIMEOUT' })
    await assert.rejects(createQueue(context, 'q').enqueue('x', { timeoutMs: 100 }), { code: 'TIMEOUT' })
    assert.ok(clock.monotonicMs() - beganMs < 500)
  }))
