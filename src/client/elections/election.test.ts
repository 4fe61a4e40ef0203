import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Transaction } from '../driver/index.ts'
import type { SynodError } from '../errors.ts'
import { onGround } from '../turns/testing/client-ground.ts'
import type { Fate } from '../turns/testing/faulty-driver.ts'
import { createElection, type Leader, type Leadership } from './index.ts'

const candidates = 'synod/elections/e/candidates/'

test('candidates lead in the order in which they came, with rising tokens; one key that goes wakes one', () =>
  onGround(1, async ({ client, keys, until }) => {
    const clients = Array.from({ length: 8 }, () => client())
    const campaigns: Promise<Leadership>[] = []
    for (const [index, { context }] of clients.entries()) {
      campaigns.push(createElection(context, 'e').campaign({ value: `c${index}` }))
      await until(async () => (await keys(candidates)).length > index)
    }
    let token = 0
    for (const [index, campaign] of campaigns.entries()) {
      const leadership = await campaign
      assert.equal((await createElection(client().context, 'e').leader())?.text(), `c${index}`)
      assert.ok(leadership.fencingToken > token, `${leadership.fencingToken} after ${token}`)
      token = leadership.fencingToken
      const lists = clients.map(({ driver }) => driver.lists)
      await leadership.resign()
      await campaigns[index + 1]
      // Whoever waits further back has not looked again.
      for (let later = index + 2; later < 8; later++)
        assert.equal(clients[later]!.driver.lists, lists[later], `${later} woke when ${index} went`)
    }
    assert.deepEqual(await keys('synod/elections/'), [])
  }))

test('an election without rivals costs one transaction and one read', () =>
  onGround(2, async ({ client }) => {
    const { context, driver } = client()
    const session = await context.sessions.shared()
    const leadership = await createElection(context, 'e').campaign({ session })
    assert.equal(driver.transactions, 1)
    assert.equal(driver.lists, 0)
    const resigned = leadership.resign()
    // At once: before anybody else can lead.
    assert.equal(leadership.signal.aborted, true)
    assert.equal(leadership.remainingMs(), 0)
    await resigned
  }))

test('a campaign that waits too long, or is aborted, leaves no candidacy', () =>
  onGround(3, async ({ client, keys, until }) => {
    const leading = await createElection(client().context, 'e').campaign()
    const rival = createElection(client().context, 'e')
    await assert.rejects(rival.campaign({ waitMs: 300 }), { name: 'SynodError', code: 'TIMEOUT' })
    const abort = new AbortController()
    const waiting = rival.campaign({ signal: abort.signal })
    await until(async () => (await keys(candidates)).length === 2)
    abort.abort(new Error('no more'))
    await assert.rejects(waiting, { code: 'CANCELLED' })
    await until(async () => (await keys(candidates)).length === 1)
    leading.assertLeader()
    await leading.resign()
  }))

test('the leader whose session runs out knows before another leads, and the candidate behind it takes over', () =>
  onGround(4, async ({ client, simulation }) => {
    const first = client()
    const second = client()
    const old = await createElection(first.context, 'e').campaign()
    let endedAtMs = 0
    old.signal.addEventListener('abort', () => {
      endedAtMs = simulation.nowMs
    })
    const next = createElection(second.context, 'e').campaign()
    first.driver.cut()
    const successor = await next
    assert.ok(endedAtMs > 0 && endedAtMs < simulation.nowMs, `${endedAtMs} is before ${simulation.nowMs}`)
    assert.equal(old.remainingMs(), 0)
    assert.throws(() => old.assertLeader(), { code: 'NOT_LEADER' })
    await assert.rejects(old.proclaim('still me'), { code: 'NOT_LEADER' })
    assert.ok(successor.fencingToken > old.fencingToken)
    first.driver.heal()
    await old.resign()
    await successor.resign()
  }))

test('a leader whose key somebody deletes stops leading', () =>
  onGround(5, async ({ client, until }) => {
    const { context, driver } = client()
    const leadership = await createElection(context, 'e').campaign()
    await driver.transact({ compares: [], success: [{ type: 'delete', key: leadership.key }] })
    await until(() => leadership.signal.aborted)
    assert.equal((leadership.signal.reason as SynodError).code, 'NOT_LEADER')
    await assert.rejects(leadership.proclaim('x'), { code: 'NOT_LEADER' })
  }))

test('observers converge: each reign, each proclamation, and nobody', () =>
  onGround(6, async ({ client, until }) => {
    const { context } = client()
    const seen: (string | undefined)[] = []
    const tokens: number[] = []
    const abort = new AbortController()
    const observing = (async () => {
      const states: AsyncIterable<Leader | undefined> = createElection(client().context, 'e').observe(abort)
      for await (const leader of states) {
        seen.push(leader?.text())
        if (leader !== undefined) tokens.push(leader.fencingToken)
      }
    })()
    const saw = (value: string | undefined): Promise<void> => until(() => seen.length > 0 && seen.at(-1) === value)
    await saw(undefined)
    const leadership = await createElection(context, 'e').campaign({ value: 'a' })
    await saw('a')
    const behind = createElection(client().context, 'e').campaign({ value: 'z' })
    await leadership.proclaim('b')
    await saw('b')
    await leadership.resign()
    await saw('z')
    const last = await behind
    await last.resign()
    await saw(undefined)
    abort.abort()
    await assert.rejects(observing, { code: 'CANCELLED' })
    assert.deepEqual(seen, [undefined, 'a', 'b', 'z', undefined])
    assert.deepEqual(tokens, [leadership.fencingToken, leadership.fencingToken, last.fencingToken])
  }))

for (const fate of ['lost-answer', 'lost-request', 'late', 'refused'] as const) {
  test(`a candidacy whose transaction is ${fate} is made once, and proclamations come in order`, () =>
    onGround(7, async ({ client, keys, until }) => {
      const { context, driver } = client()
      driver.fateOf = oneOf(fate, isPut)
      const leadership = await createElection(context, 'e').campaign({ value: 'v' })
      assert.equal((await keys(candidates)).length, 1)
      driver.fateOf = oneOf(fate, isPut)
      const one = leadership.proclaim('one')
      const two = leadership.proclaim('two')
      await Promise.all([one, two])
      await Promise.all(driver.late)
      assert.equal((await createElection(context, 'e').leader())?.text(), 'two')
      driver.fateOf = oneOf(fate, () => true)
      await leadership.resign()
      await Promise.all(driver.late)
      await until(async () => (await keys(candidates)).length === 0)
    }))
}

test('a candidacy given up while its transaction is still under way does not come back', () =>
  onGround(8, async ({ client, keys, pass }) => {
    const { context, driver } = client()
    await context.sessions.shared()
    const abort = new AbortController()
    driver.fateOf = (transaction) => {
      if (!isPut(transaction)) return 'passes'
      driver.fateOf = () => 'passes'
      abort.abort()
      return 'late'
    }
    await assert.rejects(createElection(context, 'e').campaign({ signal: abort.signal }), { code: 'CANCELLED' })
    await pass(0)
    await Promise.all(driver.late)
    assert.equal(driver.late.length, 1)
    assert.deepEqual(await keys(candidates), [])
  }))

test('runWhileLeader: the work of a lost leader ends before it is begun again, and its result counts when it led', () =>
  onGround(9, async ({ client, until }) => {
    const { context, driver } = client()
    const log: string[] = []
    const running = createElection(context, 'e').runWhileLeader({ value: 'w' }, async (leadership) => {
      log.push(`begins ${log.length}`)
      if (log.length > 2) return 'done'
      await aborted(leadership)
      log.push('stops')
      return 'too late'
    })
    await until(() => log.length === 1)
    driver.cut()
    await until(() => log.length === 2)
    driver.heal()
    assert.equal(await running, 'done')
    assert.deepEqual(log, ['begins 0', 'stops', 'begins 2'])
    assert.equal(await createElection(context, 'e').leader(), undefined)
  }))

test('runWhileLeader: an abort stops the work and resigns; what the work throws while leading is thrown', () =>
  onGround(10, async ({ client, keys }) => {
    const election = createElection(client().context, 'e')
    const abort = new AbortController()
    let stopped = false
    await assert.rejects(
      election.runWhileLeader(abort, async (leadership) => {
        abort.abort()
        await aborted(leadership)
        stopped = true
      }),
      { code: 'CANCELLED' },
    )
    assert.equal(stopped, true)
    assert.deepEqual(await keys(candidates), [])
    const failing = election.runWhileLeader({}, () => Promise.reject(new Error('the work failed')))
    await assert.rejects(failing, { message: 'the work failed' })
    assert.deepEqual(await keys(candidates), [])
  }))

for (let seed = 100; seed < 110; seed++) {
  test(`many candidates on links that fail: nobody leads beside another, tokens rise (seed ${seed})`, () =>
    onGround(seed, async ({ client, simulation, pass, keys, until }) => {
      const { random } = simulation
      const held = new Set<Leadership>()
      const tokens: number[] = []
      let working = true
      const fates: Fate[] = ['lost-answer', 'lost-request', 'late', 'refused']
      const programs = Array.from({ length: 5 }, async () => {
        const { context, driver } = client(1000)
        driver.fateOf = () => (working && random.below(4) === 0 ? fates[random.below(4)]! : 'passes')
        while (working) {
          if (random.below(4) === 0) driver.cut()
          else driver.heal()
          const leadership = await createElection(context, 'e')
            .campaign({ waitMs: 200 + random.below(3000) })
            .catch(() => undefined)
          if (leadership === undefined) {
            await pass(random.below(200))
            continue
          }
          if (leadership.remainingMs() === 0) continue
          for (const other of held) assert.equal(other.remainingMs(), 0, 'two lead at once')
          held.add(leadership)
          tokens.push(leadership.fencingToken)
          await pass(random.below(300))
          if (random.below(3) === 0) {
            driver.cut()
            await aborted(leadership)
            driver.heal()
          } else void leadership.resign().catch(() => {})
          held.delete(leadership)
        }
        driver.heal()
      })
      await pass(20_000)
      working = false
      await Promise.all(programs)
      assert.ok(tokens.length > 10, `${tokens.length} led`)
      for (let i = 1; i < tokens.length; i++)
        assert.ok(tokens[i]! > tokens[i - 1]!, `${tokens[i]} after ${tokens[i - 1]}`)
      await until(async () => (await keys(candidates)).length === 0)
    }))
}

function aborted({ signal }: Leadership): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function isPut(transaction: Transaction): boolean {
  return transaction.success.some((operation) => operation.type === 'put')
}

/** The first transaction that is meant has this fate, all others pass. */
function oneOf(fate: Fate, isMeant: (transaction: Transaction) => boolean): (transaction: Transaction) => Fate {
  let used = false
  return (transaction) => {
    if (used || !isMeant(transaction)) return 'passes'
    used = true
    return fate
  }
}
