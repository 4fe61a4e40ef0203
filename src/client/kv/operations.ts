/** The steps of a transaction, each with the type of what it results in. */
import { assert } from '../../base/index.ts'
import type { Operation, OperationResult, Revision } from '../driver/index.ts'
import type { Session } from '../sessions/index.ts'
import { type KvEntry, kvEntry } from './entry.ts'
import { type KeyInput, type KvRange, type Namespaced, storedKey, storedRange, valueBytes } from './keys.ts'

/** A step that results in an `R`. */
export interface TxnOperation<R> {
  /** `ranges`: only where the engine has ranges in transactions (not ZooKeeper). */
  readonly needs: 'keys' | 'ranges'
  /** What the engine is asked, in a namespace. */
  readonly operation: (context: Namespaced) => Operation
  /** What its answer means. */
  readonly result: (context: Namespaced, answer: OperationResult, revision: Revision) => R
}

/** A step on one key, for every engine. */
export interface KeyOperation<R> extends TxnOperation<R> {
  readonly needs: 'keys'
}

/** What came of a write. */
export interface PutResult {
  /** Of the write. */
  readonly revision: Revision
}

/** What came of deleting a key. */
export interface DeleteResult {
  /** Whether the key was there. */
  readonly deleted: boolean
  /** Of the write; when nothing was deleted, of the state that showed it. */
  readonly revision: Revision
}

/** What came of deleting all keys of a range. */
export interface DeleteAllResult {
  /** How many keys were there. */
  readonly deleted: number
  readonly revision: Revision
}

/** How a key is written. */
export interface PutOptions {
  /** The key goes when this session ends. Default: it stays. */
  readonly session?: Session | undefined
}

/** Sets a key. */
export function put(name: KeyInput, value: string | Uint8Array, { session }: PutOptions = {}): KeyOperation<PutResult> {
  return {
    needs: 'keys',
    operation(context) {
      session?.assertAlive()
      const leaseId = session?.leaseId ?? 0n
      return { type: 'put', key: storedKey(context, name), value: valueBytes(value), leaseId }
    },
    result: (_context, _answer, revision) => ({ revision }),
  }
}

/** Reads a key, as the steps before it left it. */
export function get(name: KeyInput): KeyOperation<KvEntry | undefined> {
  return {
    needs: 'keys',
    operation: (context) => ({ type: 'get', key: storedKey(context, name) }),
    result(context, answer) {
      assert(answer.type === 'get', 'a get is answered as one')
      return answer.entry === undefined ? undefined : kvEntry(context, answer.entry)
    },
  }
}

/** Deletes a key. */
export function del(name: KeyInput): KeyOperation<DeleteResult> {
  return {
    needs: 'keys',
    operation: (context) => ({ type: 'delete', key: storedKey(context, name) }),
    result(_context, answer, revision) {
      assert(answer.type === 'delete', 'a delete is answered as one')
      return { deleted: answer.deleted > 0, revision }
    },
  }
}

/** Reads a range, as the steps before it left it. */
export function list(
  selection: KvRange,
  { limit, keysOnly }: { readonly limit?: number | undefined; readonly keysOnly?: boolean | undefined } = {},
): TxnOperation<readonly KvEntry[]> {
  return {
    needs: 'ranges',
    operation: (context) => ({
      type: 'list',
      range: storedRange(context, selection),
      ...(limit === undefined ? {} : { limit }),
      ...(keysOnly === undefined ? {} : { keysOnly }),
    }),
    result(context, answer) {
      assert(answer.type === 'list', 'a list is answered as one')
      return answer.entries.map((entry) => kvEntry(context, entry))
    },
  }
}

/** Deletes a range. */
export function delAll(selection: KvRange): TxnOperation<DeleteAllResult> {
  return {
    needs: 'ranges',
    operation: (context) => ({ type: 'deleteRange', range: storedRange(context, selection) }),
    result(_context, answer, revision) {
      assert(answer.type === 'delete', 'a delete is answered as one')
      return { deleted: answer.deleted, revision }
    },
  }
}
