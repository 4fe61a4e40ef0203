/** Judges all operations of a history: cuts it into objects, searches an order for each. */
import type { HistoryRecord, OperationRecord } from '../../history/index.ts'
import { indexRevisions, type RevisionIndex } from '../revisions/revision-index.ts'
import { type CompiledOperation, compileOperation, Vocabulary } from './compiled-operation.ts'
import { KeyValueObject } from './key-value-object.ts'
import { objectsOf } from './objects.ts'
import { revisionSequence } from './revision-sequence.ts'
import { type DeadEnd, LinearizationSearch, type SearchBudget, type SearchOutcome } from './search.ts'
import { withoutUnnoticed } from './uncertain-operations.ts'

export interface LinearizabilityOptions {
  /** How many times an operation may be tried, over the whole history. Default 30 million, some 20 to 60 seconds. */
  readonly stepsMax?: number
  /** How many situations are remembered for one object, 32 bytes each. Default 8 million. */
  readonly fingerprintsMax?: number
}

export interface LinearizabilityResult {
  readonly verdict: 'linearizable' | 'not linearizable' | 'could not tell'
  /** How many operations of the history were judged. */
  readonly checked: number
  readonly objects: number
  /** How many times an operation was tried. */
  readonly steps: number
  /** The first object that has no order, or met the bound. */
  readonly failure?: ObjectFailure
}

export interface ObjectFailure {
  readonly operations: readonly CompiledOperation[]
  readonly deadEnd: DeadEnd | undefined
  readonly vocabulary: Vocabulary
  readonly tracked: boolean
}

const stepsMaxDefault = 30_000_000
const fingerprintsMaxDefault = 8_000_000
/** Following the revisions takes about one step for each operation, or it will not succeed. */
const sequenceStepsMin = 1_000_000
const sequenceStepsEach = 20

/**
 * What has a place in a linear order: not what failed, and not a read that asked for staleness. The end of a lease may
 * delete its keys at any time; and what the store held at the start was written before all else.
 */
export function linearizableOperations(history: readonly HistoryRecord[]): OperationRecord[] {
  const operations: OperationRecord[] = []
  const attached = new Set<string>()
  let firstMs = 0
  for (const record of history) if (record.type === 'operation') firstMs = Math.min(firstMs, record.invokedMs)
  for (const record of history) {
    if (hasPlace(record)) operations.push(record)
    if (record.type !== 'lease' || record.what.event !== 'attached') continue
    const { key } = record.what
    if (attached.has(`${record.lease} ${key}`)) continue
    attached.add(`${record.lease} ${key}`)
    operations.push(leaseEnd(record.lease, key, firstMs))
  }
  for (const record of history)
    if (record.type === 'start')
      for (const { key, value } of record.entries ?? [])
        operations.push(startWrite(key, value, record.revision, firstMs))
  return operations
}

function hasPlace(record: HistoryRecord): record is OperationRecord {
  return record.type === 'operation' && record.outcome !== 'failed' && record.serializable !== true
}

function leaseEnd(lease: string, key: string, invokedMs: number): OperationRecord {
  const client = `end of lease ${lease}`
  return { type: 'operation', client, invokedMs, outcome: 'unknown', input: { op: 'delete', key } }
}

function startWrite(key: string, value: string, revision: number, firstMs: number): OperationRecord {
  return {
    type: 'operation',
    client: 'initial state',
    invokedMs: firstMs - 2,
    returnedMs: firstMs - 1,
    outcome: 'ok',
    input: { op: 'put', key, value },
    output: { revision },
  }
}

export function checkLinearizability(
  history: readonly HistoryRecord[],
  options: LinearizabilityOptions = {},
): LinearizabilityResult {
  const records = linearizableOperations(history)
  const vocabulary = new Vocabulary(records)
  const operations = records.map((record) => compileOperation(record, vocabulary))
  const tracked = operations.some(countsVersions)
  const object = new KeyValueObject(vocabulary.keyNames.length, vocabulary.valueNames, tracked)
  const stepsMax = options.stepsMax ?? stepsMaxDefault
  const budget: SearchBudget = {
    stepsLeft: stepsMax,
    fingerprintsMax: options.fingerprintsMax ?? fingerprintsMaxDefault,
  }
  const checked = history.reduce((count, record) => (hasPlace(record) ? count + 1 : count), 0)
  const index = indexRevisions(history)
  const objects = objectsOf(operations, vocabulary.keyNames.length)
  const result = (verdict: LinearizabilityResult['verdict']) => ({
    verdict,
    checked,
    objects: objects.length,
    steps: stepsMax - Math.max(0, budget.stepsLeft),
  })
  let unsure: ObjectFailure | undefined
  // Small ones first: a violation there is shown with less around it.
  for (const members of objects.sort((a, b) => a.length - b.length)) {
    const outcome = searchObject(members, object, budget, tracked, vocabulary, index)
    if (outcome.outcome === 'found') continue
    const failure = { operations: members, deadEnd: outcome.deadEnd, vocabulary, tracked }
    if (outcome.outcome === 'impossible') return { ...result('not linearizable'), failure }
    unsure ??= failure
  }
  return unsure === undefined ? result('linearizable') : { ...result('could not tell'), failure: unsure }
}

/** Whether some compare needs more of a key than its value and its being there. */
function countsVersions(operation: CompiledOperation): boolean {
  return operation.compares.some(({ target, relation, operand }) => {
    if (target === 'value') return false
    return !(relation === '<' ? operand === 1 : operand === 0)
  })
}

/** First along the revisions, where all replies have them: if that order fits, no other is needed. */
function searchObject(
  members: readonly CompiledOperation[],
  object: KeyValueObject,
  budget: SearchBudget,
  tracked: boolean,
  vocabulary: Vocabulary,
  index: RevisionIndex | undefined,
): SearchOutcome {
  const operations = withoutUnnoticed(members, tracked)
  const byRevision = index === undefined ? undefined : revisionSequence(operations, vocabulary, index)
  if (byRevision !== undefined) {
    const stepsMax = Math.min(budget.stepsLeft, sequenceStepsMin + sequenceStepsEach * operations.length)
    const share: SearchBudget = { stepsLeft: stepsMax, fingerprintsMax: budget.fingerprintsMax }
    const before = share.stepsLeft
    const outcome = new LinearizationSearch(operations, object, share, { tracked, byRevision }).run()
    budget.stepsLeft -= before - share.stepsLeft
    if (outcome.outcome === 'found') return outcome
  }
  return new LinearizationSearch(operations, object, budget, { tracked }).run()
}
