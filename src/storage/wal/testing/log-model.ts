import { deepEqual } from 'node:assert/strict'
import type { Entry, HardState } from '../../../core/index.ts'
import type { GroupWrite, RecoveredGroup, SnapshotPosition } from '../types.ts'

type Log = ReadonlyMap<number, Entry>
type Step = (logs: Map<number, Map<number, Entry>>) => void

/**
 * The log's naive twin: what was appended, one record after another, and how much of it was acknowledged. After a crash
 * the log must hold exactly what some prefix of the records gives, one that has all the acknowledged ones.
 */
export class LogModel {
  private base: ReadonlyMap<number, Log> = new Map()
  private steps: Step[] = []
  private ackedSteps = 0
  /** For each group the last acknowledged hard state, then those asked for since. */
  private readonly hardStates = new Map<number, HardState[]>()

  /** Notes an append. Call the result when it was acknowledged. */
  append(writes: readonly GroupWrite[]): () => void {
    const asked: [number, HardState][] = []
    for (const { group, entries, mode = 'log', restartAfter, hardState } of writes) {
      if (hardState !== undefined) {
        asked.push([group, hardState])
        this.statesOf(group).push(hardState)
      }
      if (restartAfter !== undefined) this.steps.push((logs) => void logs.set(group, new Map()))
      for (const entry of entries) this.steps.push((logs) => put(logs, group, mode, entry))
    }
    const end = this.steps.length
    return () => {
      this.ackedSteps = Math.max(this.ackedSteps, end)
      for (const [group, state] of asked) {
        const states = this.statesOf(group)
        states.splice(0, Math.max(0, states.indexOf(state)))
      }
    }
  }

  /** Throws unless `groups` is what may have survived; then goes on from there. */
  survive(groups: ReadonlyMap<number, RecoveredGroup>, snapshots: ReadonlyMap<number, SnapshotPosition>): void {
    const found = new Map<number, Log>()
    for (const [group, { entries }] of groups) found.set(group, new Map(entries.map((entry) => [entry.index, entry])))
    const logs = copy(this.base)
    for (const step of this.steps.slice(0, this.ackedSteps)) step(logs)
    const acknowledged = copy(logs)
    let matched = same(found, logs, snapshots)
    for (const step of this.steps.slice(this.ackedSteps)) {
      if (matched) break
      step(logs)
      matched = same(found, logs, snapshots)
    }
    if (!matched)
      deepEqual(describe(found, snapshots), describe(acknowledged, snapshots), 'recovered (left), acknowledged (right)')
    this.base = found
    this.steps = []
    this.ackedSteps = 0
    for (const [group, possible] of this.hardStates) {
      const state = groups.get(group)?.hardState ?? { term: 0, votedFor: 0n }
      const acceptable = possible.some((each) => each.term === state.term && each.votedFor === state.votedFor)
      if (!acceptable) deepEqual(state, possible, `hard state of group ${group}`)
      this.hardStates.set(group, [state])
    }
  }

  private statesOf(group: number): HardState[] {
    let states = this.hardStates.get(group)
    if (states === undefined) this.hardStates.set(group, (states = [{ term: 0, votedFor: 0n }]))
    return states
  }
}

function put(logs: Map<number, Map<number, Entry>>, group: number, mode: 'log' | 'slots', entry: Entry): void {
  const log = logs.get(group) ?? new Map<number, Entry>()
  logs.set(group, log)
  if (mode === 'log') for (const index of [...log.keys()]) if (index > entry.index) log.delete(index)
  log.set(entry.index, entry)
}

function copy(logs: ReadonlyMap<number, Log>): Map<number, Map<number, Entry>> {
  return new Map([...logs].map(([group, log]) => [group, new Map(log)]))
}

function same(
  a: ReadonlyMap<number, Log>,
  b: ReadonlyMap<number, Log>,
  snapshots: ReadonlyMap<number, SnapshotPosition>,
): boolean {
  for (const group of new Set([...a.keys(), ...b.keys()])) {
    const left = afterSnapshot(a.get(group), snapshots.get(group))
    const right = afterSnapshot(b.get(group), snapshots.get(group))
    if (left.size !== right.size) return false
    for (const [index, entry] of left) {
      const other = right.get(index)
      if (other === undefined || other.term !== entry.term || other.kind !== entry.kind) return false
      if (Buffer.compare(other.payload, entry.payload) !== 0) return false
    }
  }
  return true
}

/** What counts of a log beside its snapshot: nothing, if it has another entry at the snapshot's index. */
function afterSnapshot(log: Log = new Map(), snapshot: SnapshotPosition = { index: 0, term: 0 }): Log {
  const term = log.get(snapshot.index)?.term ?? snapshot.term
  if (term !== snapshot.term) return new Map()
  return new Map([...log].filter(([index]) => index > snapshot.index))
}

function describe(
  logs: ReadonlyMap<number, Log>,
  snapshots: ReadonlyMap<number, SnapshotPosition>,
): Record<string, string> {
  const text: Record<string, string> = {}
  for (const [group, log] of logs) {
    text[group] = [...afterSnapshot(log, snapshots.get(group)).values()]
      .sort((a, b) => a.index - b.index)
      .map(({ index, term, payload }) => `${index}@${term}:${payload.length}`)
      .join(' ')
  }
  return text
}
