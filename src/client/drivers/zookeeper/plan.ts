/**
 * The multi of a transaction: the steps that pin what was read, then those that write.
 *
 * A key that was compared or read is pinned to its node's version, by a check or by the step that writes it; one that
 * is only written needs no more than its pin (`pins.ts`), so that writers who compare nothing never turn each other away.
 * A key that changes its lease is deleted and made anew: ZooKeeper ties a node to a session for good.
 */
import { createFlags, type MultiResult, type MultiStep, type RequestOf } from '../../../wire/zookeeper/index.ts'
import type {
  Compare,
  Entry,
  Key,
  LeaseId,
  Operation,
  OperationResult,
  Revision,
  Transaction,
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { State } from './compares.ts'
import type { KeyPaths } from './key-paths.ts'
import { type Pins, pinStep } from './pins.ts'
import { entryOf } from './requests.ts'

/** What this engine can do in a transaction. */
export type KeyOperation = Exclude<Operation, { readonly type: 'list' | 'deleteRange' }>
type Write = Exclude<KeyOperation, { readonly type: 'get' }>

/** A transaction as taken: only operations on single keys, no key written twice, one lease at most. */
export interface CheckedTransaction {
  readonly compares: readonly Compare[]
  readonly success: readonly KeyOperation[]
  readonly failure: readonly KeyOperation[]
  /** Every key it names. */
  readonly keys: readonly Key[]
}

/** Throws `INVALID_ARGUMENT` or `NOT_SUPPORTED`. Copies the values: the caller may change them after the call. */
export function checked(transaction: Transaction): CheckedTransaction {
  const compares = transaction.compares.map((compare) =>
    compare.target === 'value' ? { ...compare, value: Uint8Array.from(compare.value) } : compare,
  )
  const success = checkedBranch(transaction.success)
  const failure = checkedBranch(transaction.failure ?? [])
  const keys = new Set([...compares, ...success, ...failure].map(({ key }) => key))
  for (const key of keys) checkKey(key)
  return { compares, success, failure, keys: [...keys] }
}

export function checkKey(key: Key): void {
  if (key === '') throw new SynodError('INVALID_ARGUMENT', 'a key has at least one byte')
}

function checkedBranch(operations: readonly Operation[]): readonly KeyOperation[] {
  const written = new Set<Key>()
  const taken = operations.map((operation): KeyOperation => {
    if (operation.type === 'list' || operation.type === 'deleteRange')
      throw new SynodError(
        'NOT_SUPPORTED',
        'ZooKeeper has no ranges in a transaction; list the keys first and name each, with a compare of its modRevision',
      )
    if (operation.type === 'get') return operation
    if (written.has(operation.key))
      throw new SynodError('INVALID_ARGUMENT', 'a key is written twice in one transaction; write it once')
    written.add(operation.key)
    return operation.type === 'put' ? { ...operation, value: Uint8Array.from(operation.value) } : operation
  })
  leaseOf(taken)
  return taken
}

/** The lease that the puts of a branch name; 0n for none. */
export function leaseOf(operations: readonly KeyOperation[]): LeaseId {
  let leaseId = 0n
  for (const operation of operations) {
    if (operation.type !== 'put' || (operation.leaseId ?? 0n) === 0n) continue
    if (leaseId !== 0n && leaseId !== operation.leaseId)
      throw new SynodError(
        'NOT_SUPPORTED',
        'puts under two leases in one transaction: ZooKeeper makes ephemeral nodes only for the session that asks; use one lease',
      )
    leaseId = operation.leaseId!
  }
  return leaseId
}

interface WriteSteps {
  readonly write: Write
  readonly steps: readonly MultiStep[]
}

export interface Plan {
  readonly steps: readonly MultiStep[]
  readonly writesAnything: boolean
  /** Of the keys it makes. */
  readonly created: readonly Key[]
  /** In the order of the branch, from the results of the steps. */
  results(stepResults: readonly MultiResult[], revision: Revision): OperationResult[]
}

export interface Ground {
  readonly compared: ReadonlySet<Key>
  readonly state: State
  readonly pins: Pins
  readonly paths: KeyPaths
  readonly acl: RequestOf<'create'>['acl']
}

/** Plans the branch that is to run. */
export function planOf(operations: readonly KeyOperation[], ground: Ground): Plan {
  const { compared, state, pins, paths } = ground
  const read = new Set([...compared, ...keysReadFirst(operations)])
  const writes = operations.filter((operation): operation is Write => operation.type !== 'get')
  const writeSteps = writes.map((write) => stepsOf(write, read.has(write.key), ground))
  const written = new Set(writeSteps.filter(({ steps }) => steps.length > 0).map(({ write }) => write.key))
  const created = writeSteps.filter(({ steps }) => steps.at(-1)?.op === 'create').map(({ write }) => write.key)
  const bumped = new Set(created.map((key) => paths.pin(key)))
  const named = new Set([...read, ...writes.map(({ key }) => key)])
  const head: MultiStep[] = [...new Set([...named].map((key) => paths.pin(key)))].map((path) =>
    pinStep(path, pins.get(path)!, bumped.has(path)),
  )
  for (const key of read) {
    const entry = state.get(key)
    if (entry !== undefined && !written.has(key))
      head.push({ op: 'check', path: paths.node(key), version: entry.version - 1 })
  }
  return {
    steps: [...head, ...writeSteps.flatMap(({ steps }) => steps)],
    writesAnything: written.size > 0,
    created,
    results: (stepResults, revision) =>
      resultsOf(operations, state, afterWrites(writeSteps, stepResults.slice(head.length), revision)),
  }
}

/** The keys whose state before the transaction its results tell. */
function keysReadFirst(operations: readonly KeyOperation[]): Key[] {
  const written = new Set<Key>()
  const read: Key[] = []
  for (const { type, key } of operations)
    if (type !== 'get') written.add(key)
    else if (!written.has(key)) read.push(key)
  return read
}

function stepsOf(write: Write, isPinned: boolean, { state, paths, acl }: Ground): WriteSteps {
  const path = paths.node(write.key)
  const before = state.get(write.key)
  const version = before !== undefined && isPinned ? before.version - 1 : -1
  if (write.type === 'delete') return { write, steps: before === undefined ? [] : [{ op: 'delete', path, version }] }
  const leaseId = write.leaseId ?? 0n
  const data = write.value
  if (before?.leaseId === leaseId) return { write, steps: [{ op: 'setData', path, data, version }] }
  const flags = leaseId === 0n ? createFlags.persistent : createFlags.ephemeral
  const create: MultiStep = { op: 'create', path, data, acl, flags }
  return { write, steps: before === undefined ? [create] : [{ op: 'delete', path, version }, create] }
}

/** What each write left behind. A create inside a multi is answered without a stat, but at its zxid it is all new. */
function afterWrites(
  writeSteps: readonly WriteSteps[],
  stepResults: readonly MultiResult[],
  revision: Revision,
): ReadonlyMap<Key, Entry | undefined> {
  const after = new Map<Key, Entry | undefined>()
  let at = 0
  for (const { write, steps } of writeSteps) {
    at += steps.length
    const last = steps.length === 0 ? undefined : stepResults[at - 1]
    after.set(write.key, write.type === 'delete' ? undefined : entryAfter(write, last, revision))
  }
  return after
}

function entryAfter(put: Write & { type: 'put' }, result: MultiResult | undefined, revision: Revision): Entry {
  const { key, value } = put
  if (result?.op === 'setData') return entryOf(key, result.stat, value)
  return { key, value, createRevision: revision, modRevision: revision, version: 1, leaseId: put.leaseId ?? 0n }
}

function resultsOf(
  operations: readonly KeyOperation[],
  before: State,
  after: ReadonlyMap<Key, Entry | undefined>,
): OperationResult[] {
  const written = new Set<Key>()
  return operations.map((operation) => {
    const { key, type } = operation
    if (type === 'get') return { type, entry: (written.has(key) ? after : before).get(key) }
    written.add(key)
    return type === 'put' ? { type } : { type, deleted: before.get(key) === undefined ? 0 : 1 }
  })
}
