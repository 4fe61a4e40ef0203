/** Carries one key-value operation of the history out on a node, and reads the answer while its records are valid. */
import type {
  CoordinationEngine,
  DeleteRangeResult,
  Failure,
  OperationResult,
  PutResult,
  RangeResult,
  TxnResult,
} from '../../../engine/coordination/index.ts'
import type { MvccStore, RecordRef } from '../../../storage/mvcc/index.ts'
import type { KvEntry, KvInput, KvOutput, KvStepOutput } from '../../history/index.ts'
import { deleteKey, put, range, txn } from './requests.ts'

export type KvAnswer = { readonly ok: true; readonly output: KvOutput } | Failure

export function performKv(
  engine: CoordinationEngine,
  input: KvInput,
  serializable: boolean,
  done: (answer: KvAnswer) => void,
): void {
  const finish =
    <R extends PutResult | DeleteRangeResult | RangeResult | TxnResult>(read: (result: R) => KvOutput) =>
    (outcome: R | Failure): void =>
      done(outcome.ok ? { ok: true, output: read(outcome) } : outcome)
  switch (input.op) {
    case 'get':
    case 'range': {
      const { request } = range(input.key, input.op === 'range' ? input.end : undefined, serializable)
      engine.range(request, finish(readRange))
      return
    }
    case 'put': {
      const { request, bytes } = put(input.key, input.value)
      engine.put(
        request,
        bytes,
        finish(({ revision }) => ({ revision })),
      )
      return
    }
    case 'delete': {
      const { request, bytes } = deleteKey(input.key)
      engine.deleteRange(
        request,
        bytes,
        finish(({ revision, deleted }) => ({ revision, deleted })),
      )
      return
    }
    case 'cas': {
      const { key, expected, value } = input
      const condition =
        expected === null
          ? ({ key, target: 'createRevision', relation: '=', operand: 0 } as const)
          : ({ key, target: 'value', relation: '=', operand: expected } as const)
      const { request, bytes } = txn({ compares: [condition], success: [{ op: 'put', key, value }], failure: [] })
      engine.txn(
        request,
        bytes,
        finish(({ revision, succeeded }) => ({ revision, succeeded })),
      )
      return
    }
    case 'txn': {
      const { request, bytes } = txn(input)
      engine.txn(
        request,
        bytes,
        finish(({ revision, succeeded, responses }) => ({
          revision,
          succeeded,
          steps: responses.map((response) => readStep(engine.store, response)),
        })),
      )
    }
  }
}

function readRange(result: RangeResult): KvOutput {
  const entries = result.refs.map((ref) => readEntry(result.store, ref))
  result.pin?.close()
  return { revision: result.revision, entries }
}

function readStep(store: MvccStore, response: OperationResult): KvStepOutput {
  switch (response.type) {
    case 'range':
      return { entries: response.refs.map((ref) => readEntry(response.store ?? store, ref)) }
    case 'deleteRange':
      return { deleted: response.deleted }
    default:
      return {}
  }
}

function readEntry(store: MvccStore, ref: RecordRef): KvEntry {
  const { key, createRevision, modRevision, version } = store.fields(ref)
  const value = Buffer.from(store.value(ref)).toString('latin1')
  return { key, value, createRevision, modRevision, version }
}
