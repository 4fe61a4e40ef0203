import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FloodSetProcess } from './index.ts'

/** A process stops in the midst of a round: of its messages only those to `reached` leave. */
interface Crash {
  readonly process: number
  readonly round: number
  readonly reached: readonly number[]
}

interface Run {
  /** By process; undefined for the crashed. */
  readonly decisions: readonly (string | undefined)[]
  readonly rounds: number
}

/** Runs processes in lockstep until all that live have decided. */
function run(proposals: readonly string[], faultsMax: number, crashes: readonly Crash[]): Run {
  const processes = proposals.map((proposal) => new FloodSetProcess({ faultsMax, proposal }))
  const crashOf = new Map(crashes.map((crash) => [crash.process, crash]))
  const diedBy = (process: number, round: number): boolean => (crashOf.get(process)?.round ?? Infinity) <= round
  let round = 0
  while (processes.some((each, i) => each.decision === undefined && !diedBy(i, round))) {
    round++
    const inboxes = processes.map((): (readonly string[])[] => [])
    processes.forEach((process, from) => {
      if (diedBy(from, round - 1)) return
      const message = process.message()
      assert.ok(message !== undefined)
      const reached = crashOf.get(from)?.round === round ? crashOf.get(from)!.reached : processes.keys()
      for (const to of reached) if (to !== from) inboxes[to]!.push(message)
    })
    processes.forEach((process, i) => {
      if (!diedBy(i, round)) process.endRound(inboxes[i]!)
    })
  }
  return { decisions: processes.map((each, i) => (diedBy(i, round) ? undefined : each.decision)), rounds: round }
}

/** All ways in which at most `crashesMax` of `size` processes crash in one of `rounds` rounds. */
function* crashPatterns(size: number, rounds: number, crashesMax: number, first = 0): Generator<readonly Crash[]> {
  yield []
  if (crashesMax === 0) return
  for (let process = first; process < size; process++) {
    for (let round = 1; round <= rounds; round++) {
      for (let mask = 0; mask < 1 << size; mask++) {
        if ((mask >> process) & 1) continue
        const reached = Array.from({ length: size }, (_, i) => i).filter((i) => (mask >> i) & 1)
        for (const more of crashPatterns(size, rounds, crashesMax - 1, process + 1)) {
          yield [{ process, round, reached }, ...more]
        }
      }
    }
  }
}

/** All ways to propose a or b. */
function proposalsOf(size: number): string[][] {
  return Array.from({ length: 1 << size }, (_, mask) => Array.from({ length: size }, (_, i) => 'ab'[(mask >> i) & 1]!))
}

describe('FloodSet (Lynch §6.2.1)', () => {
  for (const [size, faultsMax, runsExpected] of [
    [2, 1, 36],
    [3, 1, 200],
    [3, 2, 3_752],
    [4, 2, 56_848],
  ] as const) {
    it(`agrees on a proposal in ${faultsMax + 1} rounds: ${size} processes, all patterns of up to ${faultsMax} crashes`, () => {
      let runs = 0
      for (const crashes of crashPatterns(size, faultsMax + 1, faultsMax)) {
        for (const proposals of proposalsOf(size)) {
          runs++
          const { decisions, rounds } = run(proposals, faultsMax, crashes)
          const live = decisions.filter((_, i) => !crashes.some(({ process }) => process === i))
          const story = `${proposals} ${JSON.stringify(crashes)} decide ${live}`
          assert.equal(rounds, faultsMax + 1, story)
          assert.equal(new Set(live).size, 1, story)
          assert.ok(live[0] !== undefined && proposals.includes(live[0]), story)
        }
      }
      assert.equal(runs, runsExpected)
    })
  }

  it('does not agree in f rounds: each hides one crash behind another (§6.7)', () => {
    const oneRound = run(['a', 'b', 'b'], 0, [{ process: 0, round: 1, reached: [1] }])
    assert.deepEqual(oneRound.decisions, [undefined, 'a', 'b'])
    const twoRounds = run(['a', 'b', 'b', 'b'], 1, [
      { process: 0, round: 1, reached: [1] },
      { process: 1, round: 2, reached: [2] },
    ])
    assert.deepEqual(twoRounds.decisions, [undefined, undefined, 'a', 'b'])
  })

  it('needs no majority: one survivor of three decides', () => {
    const crashes = [0, 1].map((process) => ({ process, round: 1, reached: [] }))
    assert.deepEqual(run(['a', 'b', 'c'], 2, crashes).decisions, [undefined, undefined, 'c'])
  })

  it('decides once, and takes part no more', () => {
    const process = new FloodSetProcess({ faultsMax: 0, proposal: 'b' })
    assert.deepEqual([process.round, process.decision, process.message()], [1, undefined, ['b']])
    process.endRound([['c', 'a']])
    assert.deepEqual([process.round, process.decision, process.message()], [undefined, 'a', undefined])
    assert.throws(() => process.endRound([]), /no round follows the decision/)
    assert.throws(() => new FloodSetProcess({ faultsMax: -1, proposal: 'a' }), /a count/)
  })
})
