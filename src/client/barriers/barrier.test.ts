import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListResult } from '../driver/index.ts'
import { onGround } from '../turns/testing/client-ground.ts'
import type { Fate } from '../turns/testing/faulty-driver.ts'
import { createBarrier, createDoubleBarrier } from './index.ts'

test('a barrier holds back all who wait until it is released, and nobody when it is down', () =>
  onGround(1, async ({ client, pass, until }) => {
    const barrier = createBarrier(client().context, 'b')
    await barrier.wait()
    assert.equal(await barrier.hold(), true)
    assert.equal(await barrier.hold(), false)
    let passed = 0
    const waiting = Array.from({ length: 5 }, async () => {
      await createBarrier(client().context, 'b').wait()
      passed++
    })
    await assert.rejects(barrier.wait({ timeoutMs: 200 }), { code: 'TIMEOUT' })
    await pass(3000)
    assert.equal(passed, 0)
    assert.equal(await createBarrier(client().context, 'b').release(), true)
    await Promise.all(waiting)
    await until(() => passed === 5)
    assert.equal(await barrier.release(), false)
  }))

test('a barrier that hangs on a session comes down with it', () =>
  onGround(2, async ({ client }) => {
    const { context, driver } = client()
    const session = await context.sessions.open({ ttlMs: 1000 })
    assert.equal(await createBarrier(context, 'b').hold({ session }), true)
    const waiting = createBarrier(client().context, 'b').wait()
    driver.cut()
    await waiting
    await assert.rejects(createBarrier(context, 'b').hold({ session }), { code: 'SESSION_LOST' })
  }))

for (const fate of ['lost-answer', 'lost-request', 'late', 'refused'] as const) {
  test(`hold and release are applied once when their transaction is ${fate}`, () =>
    onGround(3, async ({ client }) => {
      const { context, driver } = client()
      const barrier = createBarrier(context, 'b')
      driver.fateOf = once(fate)
      assert.equal(await barrier.hold(), true)
      await Promise.all(driver.late)
      driver.fateOf = once(fate)
      assert.equal(await barrier.release(), true)
      await Promise.all(driver.late)
      await barrier.wait()
    }))
}

test('a hold whose answer is lost is not applied again after somebody released it', () =>
  onGround(4, async ({ client, until }) => {
    const { context, driver } = client()
    const other = createBarrier(client().context, 'b')
    let isReleased = false
    driver.fateOf = () => {
      driver.fateOf = () => 'passes'
      driver.cut()
      void until(async () => (isReleased = await other.release())).then(() => driver.heal())
      return 'lost-answer'
    }
    assert.equal(await createBarrier(context, 'b').hold(), true)
    assert.equal(isReleased, true)
    await other.wait({ timeoutMs: 100 })
  }))

test('a hold that is still under way when the barrier was released is not applied after it', () =>
  onGround(8, async ({ client }) => {
    const { context, driver } = client()
    const barrier = createBarrier(context, 'b')
    driver.fateOf = once('late')
    assert.equal(await barrier.hold(), true)
    assert.equal(await barrier.release(), true)
    await Promise.all(driver.late)
    await barrier.wait({ timeoutMs: 100 })
  }))

test('a bound that is still under way when the next round was completed is not applied after it', () =>
  onGround(9, async ({ client }) => {
    const { context, driver } = client()
    const [first, second, third] = [1, 2, 3].map(() => createDoubleBarrier(context, 'd', 1))
    let puts = 0
    // The member's key, then the bound.
    driver.fateOf = ({ success }) => (success.some(({ type }) => type === 'put') && ++puts === 2 ? 'late' : 'passes')
    await first!.enter()
    await first!.leave()
    await second!.enter()
    assert.equal(driver.late.length, 1)
    await Promise.all(driver.late)
    await third!.enter({ timeoutMs: 1000 })
  }))

test('members of a double barrier begin together and end together, round after round', () =>
  onGround(5, async ({ client, simulation, pass, keys }) => {
    const count = 4
    const inside: number[] = [0, 0, 0]
    const outside: number[] = [0, 0, 0]
    const members = Array.from({ length: count }, async () => {
      const barrier = createDoubleBarrier(client().context, 'd', count)
      for (let round = 0; round < 3; round++) {
        await pass(simulation.random.below(500))
        inside[round]!++
        await barrier.enter()
        assert.equal(inside[round], count, 'all are in')
        await pass(simulation.random.below(500))
        outside[round]!++
        await barrier.leave()
        assert.equal(outside[round], count, 'all have left')
      }
    })
    await Promise.all(members)
    assert.deepEqual(await keys('synod/barriers/d/members/'), [])
  }))

test('one too many waits for the next round; a wait that ends takes the member out', () =>
  onGround(6, async ({ client, until, keys }) => {
    const members = Array.from({ length: 3 }, () => createDoubleBarrier(client().context, 'd', 2))
    const members0 = 'synod/barriers/d/members/'
    await assert.rejects(members[0]!.enter({ timeoutMs: 100 }), { code: 'TIMEOUT' })
    await until(async () => (await keys(members0)).length === 0)
    await Promise.all([members[0]!.enter(), members[1]!.enter()])
    let entered = false
    const third = members[2]!.enter().then(() => {
      entered = true
    })
    await until(async () => (await keys(members0)).length === 3)
    await Promise.all([members[0]!.leave(), members[1]!.leave()])
    assert.equal(entered, false)
    await Promise.all([members[1]!.enter(), third])
    await Promise.all([members[1]!.leave(), members[2]!.leave()])
    assert.throws(() => createDoubleBarrier(client().context, 'd', 0), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(createDoubleBarrier(client().context, 'd', 3).enter(), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(members[0]!.leave(), { code: 'INVALID_ARGUMENT' })
  }))

test('a member whose session is lost holds nobody back: not while leaving, and not from entering', () =>
  onGround(7, async ({ client, until, keys }) => {
    const clients = Array.from({ length: 4 }, () => client())
    const members = clients.map(({ context }) => createDoubleBarrier(context, 'd', 3))
    // The first enters and is lost before the others come: three more are needed.
    const lost = members[0]!.enter()
    await until(async () => (await keys('synod/barriers/d/members/')).length === 1)
    clients[0]!.driver.cut()
    await assert.rejects(lost, { code: 'SESSION_LOST' })
    await until(async () => (await keys('synod/barriers/d/members/')).length === 0)
    await Promise.all(members.slice(1).map((member) => member.enter()))
    clients[1]!.driver.cut()
    await Promise.all(members.slice(2).map((member) => member.leave()))
    await assert.rejects(members[1]!.leave(), { code: 'SESSION_LOST' })
  }))

for (let seed = 200; seed < 206; seed++) {
  test(`a double barrier over links that fail (seed ${seed})`, () =>
    onGround(seed, async ({ client, simulation, pass }) => {
      const { random } = simulation
      const fates: Fate[] = ['lost-answer', 'lost-request', 'late', 'refused']
      const inside: number[] = [0, 0]
      const members = Array.from({ length: 3 }, async () => {
        const { context, driver } = client(20_000)
        driver.fateOf = () => (random.below(3) === 0 ? fates[random.below(4)]! : 'passes')
        const barrier = createDoubleBarrier(context, 'd', 3)
        for (let round = 0; round < 2; round++) {
          await pass(random.below(300))
          inside[round]!++
          await barrier.enter()
          assert.equal(inside[round], 3)
          await barrier.leave()
        }
      })
      await Promise.all(members)
    }))
}

function once(fate: Fate): () => Fate {
  let used = false
  return () => {
    if (used) return 'passes'
    used = true
    return fate
  }
}

test('a round that is complete begins although the member that completed it stands still or has gone', () =>
  onGround(21, async ({ client, pass, until }) => {
    const [a, b, c] = [client(60_000), client(60_000), client(60_000)]
    let letLook: () => void = () => {}
    const mayLook = new Promise<void>((resolve) => {
      letLook = resolve
    })
    const { list } = b.driver
    b.driver.list = async (range, options): Promise<ListResult> => {
      await mayLook
      return list.call(b.driver, range, options)
    }
    const inside: string[] = []
    const enter = async (name: string, { context }: typeof a, signal?: AbortSignal): Promise<void> => {
      await createDoubleBarrier(context, 'b', 2).enter({ signal })
      inside.push(name)
    }
    const stop = new AbortController()
    const entering = [enter('a', a)]
    await pass(200)
    entering.push(enter('b', b))
    await pass(200)
    const oneTooMany = assert.rejects(enter('c', c, stop.signal), { code: 'CANCELLED' })
    await until(() => inside.includes('a'))
    letLook()
    await Promise.all(entering)
    await pass(1000)
    assert.deepEqual(inside, ['a', 'b'])
    stop.abort()
    await oneTooMany
  }))

test('a hold that found the barrier up by the session of another is not applied after that session ended', () =>
  onGround(22, async ({ client, pass, keys }) => {
    const { context, driver } = client()
    const other = client().context
    const session = await other.sessions.open({ ttlMs: 1000 })
    driver.fateOf = once('late')
    const [held, heldByOther] = await Promise.all([
      createBarrier(context, 'b').hold(),
      createBarrier(other, 'b').hold({ session }),
    ])
    assert.deepEqual([held, heldByOther], [false, true])
    await session.close()
    await pass(1000)
    await Promise.all(driver.late)
    await createBarrier(other, 'b').wait({ timeoutMs: 500 })
    assert.deepEqual(await keys('synod/barriers/b/'), ['synod/barriers/b/state'])
    assert.equal(await createBarrier(other, 'b').release(), false)
    assert.equal(await createBarrier(other, 'b').hold(), true)
  }))
