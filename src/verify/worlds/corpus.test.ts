/**
 * A fixed corpus of worlds: each scenario once, on one algorithm or the other, and the default one some more times on both.
 * `synod sim` runs any of them alone; a failure here prints the line.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HistoryRecord } from '../history/index.ts'
import { runWorld, scenarios, type WorldReport } from './index.ts'
import { judge } from './judge.ts'
import { Violation } from './violation.ts'

const algorithms = ['raft', 'paxos'] as const
const swarmSeeds = [1, 2, 3, 4]

function assertValid(report: WorldReport): void {
  const { seed, scenario, consensus, property, explanation } = report
  assert.equal(
    report.verdict,
    'valid',
    `${property}: ${explanation}\nreplay: ./synod sim --scenario ${scenario} --seed ${seed} --consensus ${consensus}`,
  )
}

/** Worlds that failed once, and what they were about. */
const regressions = [
  // The operator promoted a damaged learner beside a damaged voter: two of four sound voters are no majority.
  { seed: 3022179738087, scenario: 'bit-rot', consensus: 'paxos' },
] as const

describe('simulated worlds', () => {
  const counts = new Map<string, number>()
  const add = (report: WorldReport): void => {
    for (const [what, times] of [...Object.entries(report.counts), ...Object.entries(report.faults)])
      counts.set(what, (counts.get(what) ?? 0) + times)
  }

  for (const [i, { name }] of scenarios.entries())
    test(`${name}, on ${algorithms[i % 2]}`, async () => {
      const report = await runWorld({ seed: 1, scenario: name, consensus: algorithms[i % 2]!, durationMs: 8000 })
      assertValid(report)
      add(report)
    })

  for (const consensus of algorithms)
    for (const seed of swarmSeeds)
      test(`swarm seed ${seed}, on ${consensus}`, async () => {
        const report = await runWorld({ seed, consensus })
        assertValid(report)
        add(report)
      })

  for (const options of regressions)
    test(`${options.scenario} seed ${options.seed}, on ${options.consensus}`, async () =>
      assertValid(await runWorld(options)))

  test('the attack reaches what it is meant to reach', () => {
    for (const what of [
      'receiving a snapshot',
      'renewed all leases',
      'lock taken',
      'fenced write refused',
      'watch compacted',
      'lease gone',
      'operation unknown',
      'operation failed',
      'member added',
      'member removed',
      'member promoted',
      'node gave up',
      'bit-rot',
      'partition-leader',
      'write-lost',
      'message-dropped',
      'message-duplicated',
      'io-stuck',
      'held mutex',
      'held rw-lock',
      'held semaphore',
      'held election',
      'held job',
      'counter unknown',
      'program SESSION_LOST',
      'client-cut',
      'client-bad-links',
      'client-stopped',
      'client-death',
      'client-skew',
    ])
      assert.ok((counts.get(what) ?? 0) > 0, `never came about: ${what}`)
  })
})

describe('a world', () => {
  test('is decided by its seed', async () => {
    const options = { seed: 7, scenario: 'swarm', durationMs: 3000 }
    const first = await runWorld(options)
    const second = await runWorld(options)
    const other = await runWorld({ ...options, seed: 8 })
    assert.deepEqual(second, first)
    assert.notEqual(other.fingerprint, first.fingerprint)
  })

  test('keeps at least 20 client operations a simulated second', async () => {
    const { operations, simulatedMs } = await runWorld({ seed: 5, scenario: 'clock-drift', durationMs: 5000 })
    assert.ok((1000 * operations) / simulatedMs >= 20, `${operations} in ${simulatedMs} ms`)
  })

  test('has a judge that finds a wrong answer in its history', async () => {
    let history: readonly HistoryRecord[] = []
    const options = { seed: 3, scenario: 'slow-disk', durationMs: 3000 }
    assertValid(await runWorld({ ...options, onHistory: (records) => (history = records) }))
    judge(history)
    const victim = history.findLastIndex(
      (record) => record.type === 'operation' && record.input.op === 'get' && record.output?.entries?.length === 1,
    )
    const read = history[victim]
    assert.ok(read?.type === 'operation')
    const entries = [{ ...read.output!.entries![0]!, value: 'nobody wrote this' }]
    const forged = history.with(victim, { ...read, output: { ...read.output, entries } })
    assert.throws(() => judge(forged), Violation)
  })
})
