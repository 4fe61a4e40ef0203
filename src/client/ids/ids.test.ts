import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlaneContext } from '../context.ts'
import type { Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { manyFaults, noFaults } from '../once/testing/faulty-driver.ts'
import { type PlaneClient, type PlaneWorld, planeWorld } from '../once/testing/plane-world.ts'
import { decodeTime, encodeTime, slotKeys } from './floor.ts'
import { epochMs, idOf, idText } from './id-layout.ts'
import { createIds, idsFloorKey, maxIdsFloor } from './index.ts'

test('ids of a generator rise, fit 63 bits, tell their time, and cost few writes', async () => {
  const world = await planeWorld({ seed: 'rise', clients: 1 })
  const client = world.clients[0]!
  const ids = createIds(client.context, 'orders')
  const made: bigint[] = []
  for (let count = 0; count < 10_000; count++) made.push(await world.run(ids.next()))
  for (let index = 1; index < made.length; index++) assert.ok(made[index]! > made[index - 1]!)
  assert.ok(made.at(-1)! < 1n << 63n)
  const wallMs = client.node.runtime.clock.wallMs()
  assert.ok(Math.abs(Number(made.at(-1)! >> 22n) + epochMs - wallMs) < 100)
  const { revision } = await world.run(world.engine.get('x'))
  assert.ok(revision < 6, `${revision} revisions: the session and a reservation`)
  const text = await world.run(ids.nextString())
  assert.match(text, /^[0-9a-hjkmnp-tv-z]{13}$/)
  await world.run(ids.close())
  await assert.rejects(ids.next(), { code: 'CLOSED' })
  const { entries } = await world.run(world.engine.list({ start: 'synod/ids/', end: 'synod/ids0' }))
  assert.deepEqual(
    entries.map(({ key }) => key.replace(/\d{4}$/, 'NNNN')),
    ['synod/ids/orders/reserved/NNNN'],
    'the slot is free, what was reserved is told',
  )
  await world.close()
})

test('the text of ids orders as they do', () => {
  const ids = [0n, 1n, 31n, 32n, idOf(epochMs, 1023, 4095), idOf(epochMs + 1, 0, 0), idOf(epochMs + 2 ** 41 - 1, 0, 0)]
  assert.deepEqual(ids.map(idText).sort(), ids.map(idText))
  assert.equal(idText((1n << 63n) - 1n), '7zzzzzzzzzzzz')
})

/** Leaves only the first few slots, so that owners follow each other on the same. */
async function leaveSlots(world: PlaneWorld, count: number): Promise<void> {
  const taken = Array.from({ length: 1024 - count }, (_, index) => slotKeys(world.direct, 'orders', count + index).held)
  for (let from = 0; from < taken.length; from += 100) {
    const success = taken.slice(from, from + 100).map((key) => ({ type: 'put', key, value: noValue }) as const)
    await world.engine.transact({ compares: [], success })
  }
}

const noValue = new Uint8Array(0)

/** Begins looking for a slot at the first. */
function fromTheFirstSlot(context: PlaneContext): PlaneContext {
  const { driver } = context
  const { random } = driver.outside
  const lowest = { below: (bound: number) => (bound === 1024 ? 0 : random.below(bound)) }
  const outside = { ...driver.outside, random: Object.assign(Object.create(random), lowest) }
  return { ...context, driver: { ...driver, outside } }
}

/** Keeps making ids on the client's own machine, where a pause stops it. */
function makeIds(world: PlaneWorld, client: PlaneClient, untilMs: number, made: bigint[]): Promise<void> {
  const context = fromTheFirstSlot(client.context)
  const { outside } = context.driver
  let ids = createIds(context, 'orders')
  return new Promise((resolve) => {
    const burst = (): void => {
      if (world.simulation.nowMs >= untilMs) return resolve()
      const calls = Array.from({ length: 1 + world.random.below(20) }, async () => {
        const id = await ids.next({ timeoutMs: 500 })
        made.push(id)
      })
      void Promise.allSettled(calls).then((outcomes) => {
        for (const outcome of outcomes)
          if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof SynodError, String(outcome.reason))
        if (world.random.below(30) === 0) {
          void ids.close()
          ids = createIds(context, 'orders')
        }
        outside.scheduler.setTimer(world.random.below(80), burst)
      })
    }
    outside.scheduler.setTimer(0, burst)
  })
}

async function disturb(world: PlaneWorld, untilMs: number): Promise<void> {
  while (world.simulation.nowMs < untilMs) {
    const wait = 100 + world.random.below(900)
    await new Promise<void>((resolve) => world.simulation.after(wait, resolve))
    const client = world.clients[world.random.below(world.clients.length)]!
    const jumpMs = [0, 10, 5_000, -5_000, -600_000][world.random.below(5)]!
    switch (world.random.below(4)) {
      case 0:
        client.node.setClock({ skewMs: jumpMs })
        break
      case 1:
        client.node.pause()
        world.simulation.after(200 + world.random.below(6_000), () => client.node.resume())
        break
      case 2:
        client.faults = { lostRequest: 0.4, lateRequest: 0.3, lostAnswer: 0.3, refused: 0 }
        world.simulation.after(world.random.below(4_000), () => {
          client.faults = manyFaults
        })
        break
      default:
        client.faults = noFaults
    }
  }
  for (const client of world.clients) client.node.resume()
}

test('no id twice: clocks that jump, pauses, lost sessions, lost and late writes', async () => {
  let made = 0
  for (let seed = 0; seed < 15; seed++) {
    const world = await planeWorld({
      seed: `ids-${seed}`,
      clients: 4,
      faults: manyFaults,
      ttlMs: 1_000,
      skewMsMax: 3_000,
    })
    const untilMs = world.simulation.nowMs + 20_000
    await world.run(leaveSlots(world, 6))
    const ids: bigint[] = []
    const work = world.clients.map((client) => makeIds(world, client, untilMs, ids))
    await world.run(Promise.all([...work, disturb(world, untilMs)]))
    assert.equal(new Set(ids).size, ids.length, `seed ${seed}: ${ids.length - new Set(ids).size} twice`)
    made += ids.length
    await world.close()
  }
  assert.ok(made > 25_000, `${made} ids were made`)
})

test('a floor is kept, by those who begin and by those who go on', async () => {
  const world = await planeWorld({ seed: 'floor', clients: 2 })
  const [first, second] = world.clients as [PlaneClient, PlaneClient]
  const before = createIds(first.context, 'orders')
  await world.run(before.next())
  const floorMs = first.node.runtime.clock.wallMs() + 60_000
  const put = { type: 'put', key: idsFloorKey(world.direct), value: encodeTime(floorMs) } as const
  await world.run(world.engine.transact({ compares: [], success: [put] }))
  assert.equal(await world.run(maxIdsFloor(world.direct)), floorMs)
  const id = await world.run(createIds(second.context, 'others').next())
  assert.ok(Number(id >> 22n) + epochMs > floorMs)
  await world.advance(4_000)
  const later = await world.run(before.next())
  assert.ok(Number(later >> 22n) + epochMs > floorMs, 'once it has reserved anew')
  assert.ok((await world.run(maxIdsFloor(world.direct))) > floorMs)
  await world.close()
})

type Transact = Driver['transact']

/** A context whose transactions go through `route`. */
function rerouted(
  context: PlaneContext,
  route: (transact: Transact, ...call: Parameters<Transact>) => ReturnType<Transact>,
) {
  const transact = context.driver.transact.bind(context.driver)
  return {
    ...context,
    driver: { ...context.driver, transact: (...call: Parameters<Transact>) => route(transact, ...call) },
  }
}

test('a reservation that arrives late does not take back a later one', async () => {
  const world = await planeWorld({ seed: 'late', clients: 1, ttlMs: 60_000 })
  const client = world.clients[0]!
  const late: (() => Promise<unknown>)[] = []
  let holdNext = false
  const context = rerouted(fromTheFirstSlot(client.context), (transact, ...call) => {
    if (!holdNext) return transact(...call)
    holdNext = false
    late.push(() => transact(...call))
    return Promise.reject(new SynodError('UNAVAILABLE', 'the connection broke', { outcome: 'unknown' }))
  })
  const ids = createIds(context, 'orders')
  await world.run(ids.next())
  await world.advance(5_000)
  holdNext = true
  await world.run(ids.next())
  await world.advance(5_000)
  await world.run(ids.next())
  const { reserved } = slotKeys(world.direct, 'orders', 0)
  const before = decodeTime((await world.run(world.engine.get(reserved))).entry)
  assert.equal(late.length, 1)
  await world.run(late[0]!())
  assert.equal(decodeTime((await world.run(world.engine.get(reserved))).entry), before)
  await world.close()
})

test('a slot that had another owner between looking and taking is looked at again', async () => {
  const world = await planeWorld({ seed: 'between', clients: 2, ttlMs: 60_000 })
  const [first, second] = world.clients as [PlaneClient, PlaneClient]
  await world.run(leaveSlots(world, 1))
  const other = createIds(second.context, 'orders')
  let othersId = 0n
  let isFirst = true
  const context = rerouted(first.context, async (transact, ...call) => {
    if (isFirst && call[0].success.some((operation) => operation.type === 'put')) {
      isFirst = false
      for (let count = 0; count < 50; count++) othersId = await other.next()
      await other.close()
      first.node.setClock({ skewMs: -5_000 })
    }
    return transact(...call)
  })
  const ids = createIds(context, 'orders')
  await assert.rejects(world.run(ids.next()), { code: 'RESOURCE_EXHAUSTED' })
  assert.ok((await world.run(ids.next())) > othersId)
  await world.close()
})

test('when all slots are held it says so', async () => {
  const world = await planeWorld({ seed: 'full', clients: 1 })
  await world.run(leaveSlots(world, 0))
  await assert.rejects(world.run(createIds(world.clients[0]!.context, 'orders').next()), { code: 'RESOURCE_EXHAUSTED' })
  await world.close()
})

test('a clock after the last moment that ids can tell is refused', async () => {
  const world = await planeWorld({ seed: 'beyond', clients: 1 })
  const client = world.clients[0]!
  const ids = createIds(client.context, 'orders')
  await world.run(ids.next())
  client.node.setClock({ skewMs: 70 * 366 * 86_400_000 })
  await assert.rejects(world.run(ids.next()), { code: 'NOT_SUPPORTED' })
  await assert.rejects(world.run(createIds(client.context, 'orders').next()), { code: 'NOT_SUPPORTED' })
  await world.close()
})
