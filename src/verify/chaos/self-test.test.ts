/**
 * Can chaos fail? The same clients and the same checks, on a store in this process that makes one known mistake: each
 * must be caught, and the correct store must not be.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Prng } from '../../base/index.ts'
import { drawEvidence } from './checks/evidence-timeline.ts'
import { judge } from './checks/judge.ts'
import { Recorder } from './recorder.ts'
import { type Mistake, StandInStore } from './testing/stand-in-store.ts'
import { Tally } from './workload/tally.ts'
import { Workload } from './workload/workload.ts'
import type { WorkloadWorld } from './workload/world.ts'

interface Outcome {
  readonly properties: readonly string[]
  readonly mistakes: number
  readonly ok: number
  readonly picture: string | undefined
  /** Whether an operation is among the evidence: a gap in the revisions has none to show. */
  readonly showsOperations: boolean
}

/** How often the store must have been wrong, and how long that may take on a busy machine, in milliseconds. */
const mistakesMin = 3
const patienceMs = 30_000

/** Runs the clients for `ms`, and until the store was wrong a few times; resolves with the properties found violated. */
async function violated(mistake: Mistake, ms: number): Promise<Outcome> {
  const store = new StandInStore(mistake, new Prng(`store/${mistake}`))
  const recorder = new Recorder()
  const ended = new AbortController()
  const tally = new Tally()
  const world: WorkloadWorld = {
    recorder,
    tally,
    endpoints: () => ['n1', 'n2'].map((name) => ({ name, connect: () => store.connect() })),
    ended: ended.signal,
    rate: 1000,
    operationTimeoutMs: 1000,
  }
  const workload = new Workload(world, 20, (name) => new Prng(`${mistake}/${name}`), store.revision + 1)
  await delay(ms)
  const endMs = recorder.nowMs() + patienceMs
  while (mistake !== 'none' && store.mistakes < mistakesMin && recorder.nowMs() < endMs) await delay(100)
  ended.abort()
  await workload.finished()
  await workload.finishWatching(store.revision, 2000)
  const findings = judge(recorder.records)
  const picture = drawEvidence(findings, recorder.records)
  const properties = findings.filter((finding) => finding.verdict !== 'valid').map((finding) => finding.check)
  const showsOperations = findings.some(({ evidence }) => evidence.some((record) => record.type === 'operation'))
  return { properties, mistakes: store.mistakes, ok: tally.total.ok, picture, showsOperations }
}

describe('chaos can fail', { concurrency: true }, () => {
  it('a correct store is found valid', async () => {
    const { properties, ok, picture } = await violated('none', 4000)
    assert.deepEqual(properties, [])
    assert.equal(picture, undefined)
    assert.ok(ok > 500, `only ${ok} operations were acknowledged`)
  })

  const caught: readonly (readonly [Mistake, number, RegExp])[] = [
    ['stale read', 1500, /linearizability|revision-order/],
    ['lost write', 1500, /linearizability|revision-order/],
    ['repeated write', 1500, /linearizability|revision-order/],
    ['unchecked condition', 1500, /linearizability|revision-order/],
    ['missed event', 1500, /watch/],
    ['early lease', 6000, /lease/],
    ['kept keys', 8000, /lease/],
  ]
  for (const [mistake, ms, property] of caught)
    it(`catches: ${mistake}`, async () => {
      const { properties, mistakes, picture, showsOperations } = await violated(mistake, ms)
      assert.ok(mistakes > 0, 'the mistake was never made')
      assert.match(properties.join(' '), property)
      if (showsOperations) assert.match(picture ?? '', /<svg/)
      else assert.equal(picture, undefined)
    })
})
