import assert from 'node:assert/strict'
import { test } from 'node:test'
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { roomKey } from '../context.ts'
import type { Driver } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Session } from '../sessions/index.ts'
import { type Apply, OnceWriter, onceWriter } from './index.ts'
import { decodeMarker } from './marker.ts'
import { noFaults } from './testing/faulty-driver.ts'
import { type PlaneClient, type PlaneWorld, planeWorld } from './testing/plane-world.ts'

/** Appends one letter and tells all letters. */
function append(letter: string): Apply<string> {
  return (current) => {
    const result = (current === undefined ? '' : binaryString(current)) + letter
    return { value: utf8Bytes(result), result }
  }
}

interface Ground {
  readonly world: PlaneWorld
  readonly client: PlaneClient
  readonly session: Session
  readonly writer: OnceWriter
  /** What happens to the next transactions: called in place of the driver's. */
  next: ((transact: Driver['transact'], ...call: Parameters<Driver['transact']>) => ReturnType<Driver['transact']>)[]
  read(key: string): Promise<string | undefined>
}

async function onGround(seed: string, body: (ground: Ground) => Promise<void>): Promise<void> {
  const world = await planeWorld({ seed, clients: 1 })
  try {
    const client = world.clients[0]!
    const session = await world.run(client.sessions.open({ ttlMs: 5_000 }))
    const next: Ground['next'] = []
    const driver: Driver = {
      ...client.driver,
      transact: (...call) => {
        const special = next.shift()
        return special === undefined
          ? client.driver.transact(...call)
          : special(client.driver.transact.bind(client.driver), ...call)
      },
    }
    const writer = new OnceWriter({ ...client.context, driver }, session)
    const read = async (key: string): Promise<string | undefined> => {
      const { entry } = await world.run(world.engine.get(key))
      return entry && binaryString(entry.value)
    }
    await body({ world, client, session, writer, next, read })
    await world.run(session.close())
  } finally {
    await world.close()
  }
}

const unknown = new SynodError('UNAVAILABLE', 'the connection broke', { outcome: 'unknown' })
const loseAnswer: Ground['next'][number] = async (transact, ...call) => {
  await transact(...call)
  throw unknown
}
const pass: Ground['next'][number] = (transact, ...call) => transact(...call)

test('operations keep their order, over keys and batches', async () => {
  await onGround('order', async ({ world, writer, session, read }) => {
    const keys = Array.from({ length: 150 }, (_, index) => `key-${index}`)
    const letters = ['a', 'b', 'c']
    const calls = letters.flatMap((letter) => keys.map((key) => writer.update(key, append(letter))))
    const results = await world.run(Promise.all(calls))
    assert.deepEqual(new Set(results.slice(0, 150)), new Set(['a']))
    assert.deepEqual(new Set(results.slice(300)), new Set(['abc']))
    assert.equal(await read('key-149'), 'abc')
    const marker = await read(roomKey(world.direct, 'once', session.id))
    assert.equal(decodeMarker(utf8Bytes(marker!)).sequence, Math.ceil(450 / 64))
  })
})

test('a lost answer is found in the marker, and the operation is not done again', async () => {
  await onGround('lost-answer', async ({ world, writer, next, read }) => {
    await world.run(writer.update('k', append('a')))
    next.push(loseAnswer, loseAnswer, loseAnswer)
    assert.equal(await world.run(writer.update('k', append('b'))), 'ab')
    assert.equal(await read('k'), 'ab')
  })
})

test('another writer between two sendings: the result is that of the attempt that applied', async () => {
  await onGround('between', async ({ world, writer, next, read }) => {
    await world.run(writer.update('k', append('a')))
    next.push(async (transact, ...call) => {
      await transact(...call)
      await world.engine.transact({ compares: [], success: [{ type: 'put', key: 'k', value: utf8Bytes('xyz') }] })
      throw unknown
    })
    assert.equal(await world.run(writer.update('k', append('b'))), 'ab')
    assert.equal(await read('k'), 'xyz')
    assert.equal(await world.run(writer.update('k', append('c'))), 'xyzc', 'what was learnt on the way is used')
  })
})

test('a first sending that arrives after the second has no effect', async () => {
  await onGround('late', async ({ world, writer, next, read }) => {
    await world.run(writer.update('k', append('a')))
    let late = (): Promise<unknown> => Promise.resolve()
    next.push((transact, ...call) => {
      late = () => transact(...call)
      return Promise.reject(unknown)
    })
    assert.equal(await world.run(writer.update('k', append('b'))), 'ab')
    await world.run(late())
    assert.equal(await read('k'), 'ab')
  })
})

test('a first sending that arrives after an attempt that changed nothing has no effect either', async () => {
  await onGround('late-nothing', async ({ world, writer, next, read }) => {
    await world.run(Promise.all([writer.update('a', append('1')), writer.update('b', append('1'))]))
    let late = (): Promise<unknown> => Promise.resolve()
    let isOpen = true
    next.push((transact, ...call) => {
      late = () => transact(...call)
      stop.abort()
      isOpen = false
      return Promise.reject(unknown)
    })
    const stop = new AbortController()
    const left = writer.update('a', append('2'), { signal: stop.signal })
    const byTime = writer.update('b', (current) => (isOpen ? append('2')(current) : { result: 'too late' }))
    await assert.rejects(world.run(left), { code: 'CANCELLED', outcome: 'unknown' })
    assert.equal(await world.run(byTime), 'too late')
    await world.run(late())
    assert.equal(await read('b'), '1', 'as it was told')
  })
})

test('the lease ended with the answer lost: unknown, although the effect now forbids the operation', async () => {
  await onGround('lease-ended', async ({ world, session, writer, next, read }) => {
    const takeLast: Apply<boolean> = (current) =>
      current === undefined ? { value: utf8Bytes('taken'), result: true } : { result: false }
    next.push(pass, async (transact, ...call) => {
      await transact(...call)
      await world.engine.revokeLease(session.leaseId)
      throw unknown
    })
    const error = { code: 'SESSION_LOST', outcome: 'unknown' }
    await assert.rejects(world.run(writer.update('last', takeLast)), error)
    assert.equal(await read('last'), 'taken')
  })
})

test('the marker deleted by another hand: unknown for what was under way, and then it goes on', async () => {
  await onGround('deleted', async ({ world, session, writer, next, read }) => {
    const key = roomKey(world.direct, 'once', session.id)
    await world.run(writer.update('k', append('a')))
    next.push(async (transact, ...call) => {
      await transact(...call)
      await world.engine.transact({ compares: [], success: [{ type: 'delete', key }] })
      throw unknown
    })
    const error = { code: 'SESSION_LOST', outcome: 'unknown' }
    await assert.rejects(world.run(writer.update('k', append('b'))), error)
    assert.equal(await world.run(writer.update('k', append('c'))), 'abc')
    await world.run(world.engine.transact({ compares: [], success: [{ type: 'delete', key }] }))
    assert.equal(await world.run(writer.update('k', append('d'))), 'abcd', 'with nothing under way nothing is lost')
    assert.equal(await read('k'), 'abcd')
  })
})

test('given up with an unknown fate: the next batch begins with what is there', async () => {
  await onGround('given-up', async ({ world, client, writer, next, read }) => {
    await world.run(writer.update('k', append('a')))
    let late = (): Promise<unknown> => Promise.resolve()
    next.push((transact, ...call) => {
      late = () => transact(...call)
      return Promise.reject(unknown)
    })
    const stop = new AbortController()
    const given = writer.update('k', append('b'), { signal: stop.signal })
    client.faults = { lostRequest: 1, lateRequest: 0, lostAnswer: 0, refused: 0 }
    world.simulation.after(10, () => stop.abort())
    await assert.rejects(world.run(given), { code: 'CANCELLED', outcome: 'unknown' })
    client.faults = noFaults
    await world.run(late())
    assert.equal(await world.run(writer.update('k', append('c'))), 'abc')
    assert.equal(await read('k'), 'abc')
  })
})

test('what was told as not applied is not applied later', async () => {
  await onGround('not-later', async ({ world, client, writer, read }) => {
    await world.run(writer.update('k', append('a')))
    client.faults = { lostRequest: 0, lateRequest: 0, lostAnswer: 0, refused: 1 }
    const { clock } = client.context.driver.outside
    const short = writer.update('k', append('b'), { deadlineMs: clock.monotonicMs() + 60 })
    const long = writer.update('k', append('c'), { deadlineMs: clock.monotonicMs() + 60_000 })
    await assert.rejects(world.run(short), { code: 'TIMEOUT', outcome: 'not-applied' })
    client.faults = noFaults
    assert.equal(await world.run(long), 'ac')
    assert.equal(await read('k'), 'ac')
  })
})

test('a lost session ends what waits, and what the engine refuses for good is told', async () => {
  await onGround('ends', async ({ world, session, writer, next, read }) => {
    next.push(() => Promise.reject(new SynodError('NO_SPACE', 'the engine is full')))
    await assert.rejects(world.run(writer.update('k', append('a'))), { code: 'NO_SPACE', outcome: 'not-applied' })
    await world.run(session.close())
    await assert.rejects(world.run(writer.update('k', append('a'))), { code: 'SESSION_LOST', outcome: 'not-applied' })
    assert.equal(await read('k'), undefined)
  })
})

test('a session has one writer', async () => {
  await onGround('one', async ({ client, session }) => {
    assert.equal(onceWriter(client.context, session), onceWriter({ ...client.context }, session))
    assert.notEqual(onceWriter(client.context, session), onceWriter({ ...client.context, namespace: 'n/' }, session))
  })
})
