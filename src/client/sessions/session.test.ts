import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SynodError } from '../errors.ts'
import { LockWorld } from '../locks/testing/lock-world.ts'
import { createSessions } from './index.ts'

function world(seed: number, clients = 1): Promise<LockWorld> {
  return LockWorld.open({ seed, clients })
}

const isLost = (error: unknown): boolean => error instanceof SynodError && error.code === 'SESSION_LOST'

test('a session lives as long as it is renewed', async () => {
  const at = await world(1)
  const client = at.clients[0]!
  const session = await at.run(client.context.sessions.open({ ttlMs: 2_000 }))
  const { succeeded } = await at.run(
    client.driver.transact({
      compares: [],
      success: [{ type: 'put', key: 'k', value: new Uint8Array(0), leaseId: session.leaseId }],
    }),
  )
  assert(succeeded)
  for (let i = 0; i < 20; i++) {
    await at.advance(1_000)
    assert(session.remainingMs() > 900, `${session.remainingMs()}`)
  }
  session.assertAlive()
  assert.deepEqual(await at.keys(), ['k'])
  await at.run(session.close())
  assert.equal(session.remainingMs(), 0)
  assert(isLost(session.signal.reason))
  assert.deepEqual(await at.keys(), [])
})

test('S1: the deadline counts from the sending, less the margin, and comes before the engine gives anything away', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const at = await world(seed)
    const client = at.clients[0]!
    client.driver.way.delayMs = [0, 400]
    client.node.setClock({ driftPpm: -500 })
    const session = await at.run(client.context.sessions.open({ ttlMs: 2_000 }))
    const put = { type: 'put', key: 'k', value: new Uint8Array(0), leaseId: session.leaseId } as const
    await at.run(at.engine.transact({ compares: [], success: [put] }))
    let lostAtMs = 0
    session.on('lost', () => {
      lostAtMs = at.simulation.nowMs
    })
    await at.advance(500 + 300 * seed)
    client.driver.cut()
    while ((await at.keys()).length > 0) {
      await at.advance(5)
      assert(at.simulation.nowMs < 60_000)
    }
    assert(session.signal.aborted)
    assert(lostAtMs > 0 && lostAtMs < at.simulation.nowMs, `seed ${seed}: ${lostAtMs} of ${at.simulation.nowMs}`)
  }
})

test('jeopardy after half of the time, recovered when a renewal succeeds after all', async () => {
  const at = await world(3)
  const client = at.clients[0]!
  const session = await at.run(client.context.sessions.open({ ttlMs: 6_000 }))
  const events: string[] = []
  for (const event of ['jeopardy', 'recovered', 'lost'] as const) session.on(event, () => events.push(event))
  client.driver.cut()
  await at.advance(4_000)
  assert.deepEqual(events, ['jeopardy'])
  session.assertAlive()
  client.driver.mend()
  await at.advance(2_500)
  assert.deepEqual(events, ['jeopardy', 'recovered'])
  client.driver.cut()
  await at.advance(8_000)
  assert.deepEqual(events, ['jeopardy', 'recovered', 'jeopardy', 'lost'])
  assert.throws(() => session.assertAlive(), isLost)
})

test('S2: a process that stood still finds its session lost by the clock, and no renewal that comes late revives it', async () => {
  const at = await world(4)
  const client = at.clients[0]!
  const session = await at.run(client.context.sessions.open({ ttlMs: 2_000 }))
  // The renewal is sent, and the process stands still until its answer is long there.
  await at.simulation.run({ until: () => client.driver.callsOf('renewLease') > 0 })
  client.node.pause()
  const beganMs = at.simulation.nowMs
  while (session.remainingMs() > 0) await at.advance(5)
  // That renewal would last for some time yet, if it had come in time.
  assert(at.simulation.nowMs - beganMs < 1_500)
  assert.throws(() => session.assertAlive(), isLost)
  client.node.resume()
  await at.advance(1)
  assert.equal(session.remainingMs(), 0)
  assert(isLost(session.signal.reason))
  await at.advance(5_000)
  assert.equal(session.remainingMs(), 0)
  assert(session.signal.aborted)
})

test('S2: the engine forgets a session that was lost here, although a renewal reached it', async () => {
  const at = await world(5)
  const client = at.clients[0]!
  const session = await at.run(client.context.sessions.open({ ttlMs: 10_000 }))
  const put = { type: 'put', key: 'k', value: new Uint8Array(0), leaseId: session.leaseId } as const
  await at.run(at.engine.transact({ compares: [], success: [put] }))
  client.driver.way.loseAnswer = 1
  await at.simulation.run({ until: () => session.signal.aborted })
  client.driver.way.loseAnswer = 0
  const lostAtMs = at.simulation.nowMs
  while ((await at.keys()).length > 0) await at.advance(10)
  // Its last renewal had given it up to ten seconds from shortly before.
  assert(at.simulation.nowMs - lostAtMs < 4_000, `${at.simulation.nowMs - lostAtMs} ms`)
})

test('a lease that the engine has ended ends the session at the next renewal', async () => {
  const at = await world(6)
  const client = at.clients[0]!
  const session = await at.run(client.context.sessions.open({ ttlMs: 3_000 }))
  await at.run(at.engine.revokeLease(session.leaseId))
  await at.simulation.run({ until: () => session.signal.aborted, untilMs: at.simulation.nowMs + 1_500 })
  assert(isLost(session.signal.reason))
})

test('the shared session is one, made once however many ask, and made anew after a loss', async () => {
  const at = await world(7)
  const { sessions } = at.clients[0]!.context
  const [a, b] = await at.run(Promise.all([sessions.shared(), sessions.shared()]))
  assert.equal(a, b)
  assert.equal(at.clients[0]!.driver.callsOf('grantLease'), 1)
  await at.run(a.close())
  const c = await at.run(sessions.shared())
  assert.notEqual(c.id, a.id)
  c.assertAlive()
})

test('who leaves the making of the shared session does not end it for the others', async () => {
  const at = await world(8)
  const { sessions } = at.clients[0]!.context
  const leaving = new AbortController()
  const left = sessions.shared({ signal: leaving.signal }).catch((error: SynodError) => error.code)
  const stayed = sessions.shared()
  leaving.abort()
  assert.equal(await at.run(left), 'CANCELLED')
  const session = await at.run(stayed)
  session.assertAlive()
})

test('opening goes on past lost requests, within bounds', async () => {
  const at = await world(9)
  const client = at.clients[0]!
  client.driver.way.loseRequest = 0.6
  const session = await at.run(client.context.sessions.open({ ttlMs: 20_000 }))
  session.assertAlive()
  client.driver.cut()
  await assert.rejects(at.run(client.context.sessions.open({ ttlMs: 3_000 })), { code: 'TIMEOUT' })
})

test('closing all ends what is open and what is being made, and refuses more', async () => {
  const at = await world(10)
  const { sessions } = at.clients[0]!.context
  const open = await at.run(sessions.open())
  const making = sessions.open().then(
    () => 'made',
    (error: SynodError) => error.code,
  )
  await at.run(sessions.close())
  assert.equal(await at.run(making), 'CLOSED')
  assert(isLost(open.signal.reason))
  await assert.rejects(at.run(sessions.open()), { code: 'CLOSED' })
  assert.throws(() => createSessions(at.clients[0]!.driver, { ttlMs: 10 }), { code: 'INVALID_ARGUMENT' })
})

test('a listener that throws keeps nobody else from hearing', async () => {
  const at = await world(11)
  const session = await at.run(at.clients[0]!.context.sessions.open())
  let heard = 0
  session.on('lost', () => {
    throw new Error('mine')
  })
  session.on('lost', () => heard++)
  const off = session.on('lost', () => heard++)
  off()
  await at.run(session.close())
  assert.equal(heard, 1)
})

test('closing all does not wait for an engine that is gone for as long as its longest lease', async () => {
  const at = await LockWorld.open({ seed: 9, clients: 1 })
  const client = at.clients[0]!
  await at.run(client.context.sessions.open({ ttlMs: 3_600_000 }))
  client.driver.cut()
  const beganMs = at.simulation.nowMs
  await at.run(client.context.sessions.close())
  assert(at.simulation.nowMs - beganMs < 30_000, `${at.simulation.nowMs - beganMs}`)
})
