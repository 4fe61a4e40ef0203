// What a program of the fault tests notes of what it was told, and the checks of all the notes together.
import assert from 'node:assert/strict'

/** For how long somebody certainly held what one at a time may hold, by the machine's monotonic clock. */
export interface Reign {
  readonly token: number
  /** Read after the grant came. */
  readonly fromMs: number
  /** Read before the handle last said that it holds. */
  untilMs: number
}

/** Of one program. */
export interface Journal {
  readonly locks: Reign[]
  readonly terms: Reign[]
  readonly counter: { readonly acknowledged: number[]; unknown: number; refused: number }
  readonly puts: { readonly acknowledged: [key: string, revision: number][]; unknown: number }
  /** In the order in which a history watch told them. */
  readonly watched: [key: string, revision: number][]
  /** The newest state that a latest watch told. */
  readonly latest: Record<string, number>
  /** How often a grant was lost before it was let go. */
  lost: number
  /** Failures that no fault explains. */
  readonly unexpected: string[]
}

export function emptyJournal(): Journal {
  return {
    locks: [],
    terms: [],
    counter: { acknowledged: [], unknown: 0, refused: 0 },
    puts: { acknowledged: [], unknown: 0 },
    watched: [],
    latest: {},
    lost: 0,
    unexpected: [],
  }
}

/** What is there in the end. */
export interface FinalState {
  readonly counter: number
  /** Every key that the programs put, with the revision that made it. */
  readonly keys: readonly (readonly [key: string, revision: number])[]
}

/** Fails where the notes and the end contradict what the plane promises. */
export function checkJournals(journals: readonly Journal[], final: FinalState): void {
  assert.deepEqual(
    journals.flatMap(({ unexpected }) => unexpected),
    [],
    'every failure is one that a fault explains',
  )
  checkReigns(
    'lock',
    journals.flatMap(({ locks }) => locks),
  )
  checkReigns(
    'election',
    journals.flatMap(({ terms }) => terms),
  )
  checkCounter(journals, final.counter)
  for (const journal of journals) checkWatches(journal, final.keys)
  checkPuts(journals, final.keys)
}

/** One after another, with tokens that rise. */
function checkReigns(what: string, reigns: readonly Reign[]): void {
  const inTime = [...reigns].sort((a, b) => a.fromMs - b.fromMs)
  for (const [i, reign] of inTime.entries()) {
    const before = inTime[i - 1]
    if (before === undefined) continue
    assert.ok(
      before.untilMs < reign.fromMs,
      `${what}: two at once, ${JSON.stringify(before)} and ${JSON.stringify(reign)}`,
    )
    assert.ok(before.token < reign.token, `${what}: tokens ${before.token}, then ${reign.token}`)
  }
}

function checkCounter(journals: readonly Journal[], value: number): void {
  const acknowledged = journals.flatMap(({ counter }) => counter.acknowledged)
  const unknown = journals.reduce((sum, { counter }) => sum + counter.unknown, 0)
  assert.equal(new Set(acknowledged).size, acknowledged.length, 'no value is told to two increments')
  assert.ok(value >= acknowledged.length, `counter: ${value} in the end, and ${acknowledged.length} acknowledged`)
  assert.ok(
    value <= acknowledged.length + unknown,
    `counter: ${value} in the end, ${acknowledged.length} acknowledged and ${unknown} of unknown fate`,
  )
}

function checkWatches({ watched, latest }: Journal, keys: FinalState['keys']): void {
  const inOrder = [...keys].sort((a, b) => a[1] - b[1])
  assert.equal(new Set(watched.map(([key]) => key)).size, watched.length, 'no event comes twice')
  assert.deepEqual(watched, inOrder, 'every event comes, in order')
  assert.deepEqual(latest, Object.fromEntries(keys), 'the latest watch has converged')
}

function checkPuts(journals: readonly Journal[], keys: FinalState['keys']): void {
  const there = new Map(keys)
  for (const { puts } of journals)
    for (const [key, revision] of puts.acknowledged)
      assert.equal(there.get(key), revision, `${key} was acknowledged at ${revision}`)
}
