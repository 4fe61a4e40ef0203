/** Mutual exclusion while sessions are lost, processes stand still, clocks drift and answers get lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binaryString } from '../../base/index.ts'
import { SynodError } from '../errors.ts'
import { Backoff, pause } from '../watching/index.ts'
import { createFence, createLock } from './index.ts'
import { type Client, LockWorld } from './testing/lock-world.ts'

interface Touch {
  readonly client: number
  readonly token: number
}

interface Record {
  readonly grants: number[]
  /** By those who looked at the clock right before. */
  readonly touches: Touch[]
  refused: number
  last: number
}

async function contend(client: Client, index: number, record: Record, until: () => boolean) {
  const { outside } = client.driver
  const lock = createLock(client.context, 'shared')
  const fence = createFence(client.context, 'shared')
  const backoff = new Backoff(outside)
  while (!until()) {
    try {
      const held = await lock.acquire({ waitMs: 4_000 })
      record.grants.push(held.fencingToken)
      record.last = index
      for (let i = 0; i < 5; i++) {
        await pause(outside, outside.random.below(200))
        if (held.remainingMs() > 0) record.touches.push({ client: index, token: held.fencingToken })
      }
      // Without a look at the clock: the fence must do.
      await fence.put('row', String(held.fencingToken), held.fencingToken)
      await held.release()
    } catch (error) {
      if (!(error instanceof SynodError)) throw error
      if (error.code === 'FENCED') record.refused++
      await pause(outside, backoff.next())
    }
  }
}

for (const [kind, can] of [
  ['with lists in transactions', {}],
  ['without', { rangeInTransaction: false, history: false }],
] as const) {
  test(`two never hold at once by the clock, tokens rise, the fence holds: ${kind}`, async () => {
    let refused = 0
    let grants = 0
    let rows = 0
    for (let seed = 1; seed <= 12; seed++) {
      const at = await LockWorld.open({ seed, clients: 6, ttlMs: 1_500, can })
      const { random } = at.simulation
      const record: Record = { grants: [], touches: [], refused: 0, last: 0 }
      let over = false
      const work = at.clients.map((client, i) => {
        client.node.setClock({ driftPpm: random.below(500) - 250 })
        Object.assign(client.driver.way, { loseAnswer: 0.03, loseRequest: 0.03, late: 0.03, lateMs: 2_000 })
        return contend(client, i, record, () => over)
      })
      for (let i = 0; i < 15; i++) {
        // Mostly whoever was granted it last: it has something to lose.
        const client = at.clients[random.float() < 0.7 ? record.last : random.below(6)]!
        const pauses = random.float() < 0.6
        if (pauses) client.node.pause()
        else client.driver.cut()
        await at.advance(500 + random.below(4_000))
        if (pauses) client.node.resume()
        else client.driver.mend()
      }
      over = true
      await at.run(Promise.all(work))
      const rowsHere = await rowsOf(at)
      rows += rowsHere.length
      assertRising(record, rowsHere, seed)
      refused += record.refused
      grants += record.grants.length
    }
    assert(grants > 100, `${grants} grants`)
    assert(rows > 50, `${rows} rows`)
    assert(refused > 0, 'some holder came too late')
  })
}

/** The tokens that wrote the guarded row, in the engine's own order. */
async function rowsOf(at: LockWorld): Promise<number[]> {
  const rows: number[] = []
  const { revision } = await at.run(at.engine.get('row'))
  let toldRevision = 0
  const subscription = at.engine.watch!({ start: 'row', end: undefined }, 1, {
    onEvents(events, upTo) {
      for (const event of events) if (event.type === 'put') rows.push(Number(binaryString(event.entry.value)))
      toldRevision = upTo
    },
    onCompacted: () => assert.fail('nothing is compacted'),
    onEnd: (error) => assert.fail(error),
  })
  await at.simulation.run({ until: () => toldRevision >= revision, untilMs: at.simulation.nowMs + 60_000 })
  subscription.cancel()
  return rows
}

function assertRising({ grants, touches }: Record, rows: readonly number[], seed: number): void {
  assert.equal(new Set(grants).size, grants.length, `seed ${seed}: a token was given twice`)
  for (const [i, touch] of touches.entries())
    assert(i === 0 || touches[i - 1]!.token <= touch.token, `seed ${seed}: two at once, by touch ${i}`)
  for (const [i, row] of rows.entries()) assert(i === 0 || rows[i - 1]! <= row, `seed ${seed}: row ${i} went back`)
}
