/** Linearizability by trying every order: the slow twin of the search. Shares no code with it. */
import type { KvEntry, KvOutput, KvStepOutput, OperationRecord } from '../../history/index.ts'
import { ModelStore } from './model-store.ts'

/** Histories of about eight operations take milliseconds, of twelve minutes. */
export function isLinearizableNaive(records: readonly OperationRecord[]): boolean {
  const operations = records.filter((record) => record.outcome !== 'failed' && record.serializable !== true)
  const endOf = (record: OperationRecord) =>
    record.outcome === 'ok' ? (record.returnedMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
  const precedes = (a: OperationRecord, b: OperationRecord) =>
    endOf(a) < b.invokedMs || (a.client === b.client && endOf(a) <= b.invokedMs && before(a, b))
  // Of two of one client that touch, the one that began earlier came first; of equal beginning the one that ended first.
  const before = (a: OperationRecord, b: OperationRecord) => {
    if (a.invokedMs !== b.invokedMs) return a.invokedMs < b.invokedMs
    if (b.outcome !== 'ok') return false
    return endOf(a) < endOf(b) || (endOf(a) === endOf(b) && operations.indexOf(a) < operations.indexOf(b))
  }
  const search = (left: readonly OperationRecord[], store: ModelStore): boolean => {
    if (!left.some((record) => record.outcome === 'ok')) return true
    return left.some((record) => {
      if (left.some((other) => other !== record && precedes(other, record))) return false
      const next = new ModelStore(store)
      const output = next.apply(record.input)
      if (record.outcome === 'ok' && !agrees(record.output ?? {}, output)) return false
      return search(
        left.filter((other) => other !== record),
        next,
      )
    })
  }
  return search(operations, new ModelStore())
}

/** What is told must be so; what is not told may be anything. Revisions are not judged here. */
function agrees(told: KvOutput, real: KvOutput): boolean {
  if (told.succeeded !== undefined && told.succeeded !== real.succeeded) return false
  if (!agreesInStep(told, real)) return false
  return (told.steps ?? []).every((step, position) => agreesInStep(step, real.steps?.[position] ?? {}))
}

function agreesInStep(told: KvStepOutput, real: KvStepOutput): boolean {
  if (told.deleted !== undefined && told.deleted !== real.deleted) return false
  return told.entries === undefined || pairs(told.entries) === pairs(real.entries ?? [])
}

function pairs(entries: readonly KvEntry[]): string {
  return JSON.stringify(entries.map(({ key, value }) => [key, value]).sort())
}
