import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SynodError } from '../errors.ts'
import { onGround } from '../turns/testing/client-ground.ts'
import { createElection } from './index.ts'

const unavailable = () => new SynodError('UNAVAILABLE', 'the test lost this call')

test('a campaign ends in time also while there is no session to stand with', () =>
  onGround(41, async ({ client }) => {
    const { context, driver } = client()
    driver.cut()
    const beganMs = driver.outside.clock.monotonicMs()
    await assert.rejects(createElection(context, 'e').campaign({ waitMs: 100 }), { code: 'TIMEOUT' })
    assert.ok(driver.outside.clock.monotonicMs() - beganMs < 300)
  }))

test('a read that fails for a moment ends neither a campaign nor an observation', () =>
  onGround(42, async ({ client }) => {
    const { context, driver } = client()
    const { get } = driver
    let failures = 0
    driver.get = async (key, options) => {
      if (failures++ % 2 === 0) throw unavailable()
      return get.call(driver, key, options)
    }
    const election = createElection(context, 'e')
    const leadership = await election.campaign({ value: 'a' })
    for await (const leader of election.observe()) {
      assert.equal(leader?.text(), 'a')
      break
    }
    assert.equal((await election.leader())?.text(), 'a')
    await leadership.resign()
  }))

test('runWhileLeader asks no faster than it must while its lease is gone and nobody has said so yet', () =>
  onGround(43, async ({ client, pass, until }) => {
    const { context, driver } = client(30_000)
    const session = await context.sessions.shared()
    await client().driver.revokeLease(session.leaseId)
    const before = driver.transactions
    let led = 0
    const stop = new AbortController()
    const running = createElection(context, 'e').runWhileLeader({ signal: stop.signal }, async ({ signal }) => {
      led++
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    })
    const ended = assert.rejects(running, { code: 'CANCELLED' })
    await pass(5_000)
    assert.ok(driver.transactions - before < 40, `${driver.transactions - before}`)
    await until(() => led === 1)
    stop.abort()
    await ended
  }))

test('runWhileLeader begins no work when it was ended right before', () =>
  onGround(44, async ({ client }) => {
    const { context, driver } = client()
    const stop = new AbortController()
    const { get } = driver
    driver.get = async (key, options) => {
      const answer = await get.call(driver, key, options)
      stop.abort()
      return answer
    }
    let begun = false
    await assert.rejects(
      createElection(context, 'e').runWhileLeader({ signal: stop.signal }, () => {
        begun = true
      }),
      { code: 'CANCELLED' },
    )
    assert.equal(begun, false)
  }))

test('a proclamation whose answer was lost with the session is not told as one that certainly was not seen', () =>
  onGround(45, async ({ client }) => {
    const { context, driver } = client(1_000)
    const leadership = await createElection(context, 'e').campaign({ value: 'a' })
    driver.fateOf = () => {
      driver.cut()
      return 'lost-answer'
    }
    await assert.rejects(leadership.proclaim('b'), { code: 'NOT_LEADER', outcome: 'unknown' })
    await assert.rejects(leadership.proclaim('c'), { code: 'NOT_LEADER', outcome: 'not-applied' })
  }))
