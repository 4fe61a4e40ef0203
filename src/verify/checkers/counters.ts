/**
 * Counters: every acknowledged add was applied once, one of unknown fate at most once, and every value that was told is
 * one that the counter had, in an order that agrees with real time.
 *
 * - N1  All adds are positive, so the value right after an add tells its place in the order. An acknowledged add of n that
 *       told v covers the values from v - n, not included, to v, included. No two cover the same value.
 * - N2  What nobody covers below a value that was told was added by adds of unknown fate, sent before that was told: their
 *       sum is at least that much.
 * - N3  What was told after something else had been told is not lower; after an acknowledged add it is higher.
 */
import type { Checker, CounterRecord } from '../history/index.ts'
import { groupBy, invalid, recordsOf, valid } from './verdicts.ts'

const property = 'counter-exactness'

type Breach = readonly [what: string, ...evidence: CounterRecord[]]

export const counters: Checker = {
  property,
  check: (history) => {
    const records = recordsOf(history, 'counter')
    for (const [counter, operations] of groupBy(records, (record) => record.counter)) {
      const told = operations.filter((each): each is Told => each.outcome === 'ok' && each.value !== undefined)
      // Of those that told the same value the one that made it comes first.
      told.sort((a, b) => a.value - b.value || added(b) - added(a))
      const breach = bounds(told) ?? coveredTwice(told) ?? unexplained(told, operations) ?? againstTime(told)
      if (breach === undefined) continue
      const [what, ...evidence] = breach
      return invalid(property, `Counter ${counter}: ${what}.`, evidence)
    }
    return valid(records.length)
  },
}

type Told = CounterRecord & { readonly value: number }

/** How much it added for certain. */
function added(record: CounterRecord): number {
  return record.op === 'add' && record.applied !== false ? (record.n ?? 0) : 0
}

/** A bounded add that was applied is within its bound; one that was not would have been past it. */
function bounds(told: readonly Told[]): Breach | undefined {
  for (const record of told) {
    if (record.op !== 'add' || record.max === undefined) continue
    const within = record.applied === true ? record.value <= record.max : record.value + (record.n ?? 0) > record.max
    if (!within) return [`${describe(record)}, although the bound was ${record.max}`, record]
  }
  return undefined
}

/** N1. Told values rise along `told`. */
function coveredTwice(told: readonly Told[]): Breach | undefined {
  let before: Told | undefined
  for (const record of told) {
    if (added(record) === 0) continue
    if (record.value - added(record) < (before?.value ?? 0))
      return before === undefined
        ? [`${describe(record)}, which is less than it added`, record]
        : [`${describe(before)} and ${describe(record)}: one of them was lost`, before, record]
    before = record
  }
  return undefined
}

/** N2. */
function unexplained(told: readonly Told[], operations: readonly CounterRecord[]): Breach | undefined {
  const open = operations.filter((each) => each.outcome === 'unknown' && each.op === 'add')
  let covered = 0
  for (const record of told) {
    covered += added(record)
    const possible = open.filter((each) => each.invokedMs < (record.returnedMs ?? Number.POSITIVE_INFINITY))
    const sum = possible.reduce((total, each) => total + (each.n ?? 0), 0)
    if (record.value - covered > sum)
      return [
        `${describe(record)}, but the acknowledged adds up to there are ${covered}, and those of unknown fate at most ${sum}: something was applied twice, or after it was told as failed`,
        record,
        ...possible.slice(0, 5),
      ]
  }
  return undefined
}

/** N3. */
function againstTime(told: readonly Told[]): Breach | undefined {
  const byReturn = [...told].sort((a, b) => (a.returnedMs ?? 0) - (b.returnedMs ?? 0))
  let next = 0
  let highest: Told | undefined
  for (const record of [...told].sort((a, b) => a.invokedMs - b.invokedMs)) {
    for (; (byReturn[next]?.returnedMs ?? Number.POSITIVE_INFINITY) < record.invokedMs; next++)
      if (highest === undefined || byReturn[next]!.value > highest.value) highest = byReturn[next]
    if (highest !== undefined && record.value - added(record) < highest.value)
      return [`${describe(record)} after ${describe(highest)} had ended`, highest, record]
  }
  return undefined
}

function describe({ client, op, n, value, applied, invokedMs }: Told): string {
  const what = op === 'get' ? 'read' : applied === false ? `did not add ${n}:` : `added ${n}:`
  return `${client} at ${Math.round(invokedMs)} ms ${what} ${value}`
}
