/**
 * The answers of the KV service, each encoded into one buffer sized up front, records copied from the store as they lie
 * there (encoded KeyValue messages).
 *
 *     RangeResponse       = header=1 kvs:KeyValue=2* more:bool=3 count:int64=4
 *     PutResponse         = header=1 prev_kv:KeyValue=2
 *     DeleteRangeResponse = header=1 deleted:int64=2 prev_kvs:KeyValue=3*
 *     TxnResponse         = header=1 succeeded:bool=2 responses:ResponseOp=3*
 *     ResponseOp          = oneof { response_range=1 response_put=2 response_delete_range=3 response_txn=4 }
 *
 * Inside a transaction's answer the headers hold only a revision, and that of a nested transaction nothing, as in etcd.
 */
import { bytesFieldSize, intFieldSize, putBytesHead, putIntField } from '../../base/index.ts'
import type { OperationResult, RangeResult } from '../../engine/coordination/index.ts'
import { type MvccStore, noRecord, type RecordRef } from '../../storage/mvcc/index.ts'
import type { ResponseHeaderEncoder } from './response-header.ts'

const boolFieldSize = 2

/** The field of ResponseOp for each kind of answer. */
const operationFields = { range: 1, put: 2, deleteRange: 3, txn: 4 } as const

/**
 * Encodes answers. Sizes of nested messages are measured first, in the order in which they are written; `sizes` holds
 * them in between.
 */
export class KvResponseEncoder {
  private readonly header: ResponseHeaderEncoder
  private readonly store: () => MvccStore
  private readonly sizes: number[] = []
  private nextSize = 0

  constructor(header: ResponseHeaderEncoder, store: () => MvccStore) {
    this.header = header
    this.store = store
  }

  /**
   * The whole response message, unless `accept` refuses its size. Refs in `result` must be valid, and are read before
   * this returns.
   */
  encode(result: OperationResult, accept: (byteLength: number) => boolean): Uint8Array | undefined {
    const store = result.type === 'range' ? result.store : this.store()
    this.sizes.length = 0
    this.nextSize = 0
    const headerSize = this.header.size(result.revision)
    const byteLength = headerSize + this.measureBody(store, result)
    if (!accept(byteLength)) return undefined
    const response = Buffer.allocUnsafe(byteLength)
    this.putBody(store, result, response, this.header.put(response, 0, result.revision))
    return response
  }

  /** The size of all but the header. */
  private measureBody(store: MvccStore, result: OperationResult): number {
    switch (result.type) {
      case 'put':
        return result.previous === noRecord ? 0 : bytesFieldSize(2, store.encodedLength(result.previous))
      case 'deleteRange':
        return intFieldSize(2, result.deleted) + recordsSize(store, 3, result.previous, false)
      case 'range':
        return recordsSize(store, 2, result.refs, result.keysOnly) + rangeTailSize(result)
      case 'txn': {
        let size = result.succeeded ? boolFieldSize : 0
        for (const response of result.responses) size += bytesFieldSize(3, this.measureOperation(store, response))
        return size
      }
    }
  }

  /** The size of a ResponseOp message. Notes it, and that of the answer in it. */
  private measureOperation(store: MvccStore, result: OperationResult): number {
    const at = this.sizes.push(0, 0) - 2
    const inner = bytesFieldSize(1, intFieldSize(3, result.revision)) + this.measureBody(store, result)
    const outer = bytesFieldSize(operationFields[result.type], inner)
    this.sizes[at] = outer
    this.sizes[at + 1] = inner
    return outer
  }

  private putBody(store: MvccStore, result: OperationResult, target: Uint8Array, offset: number): number {
    switch (result.type) {
      case 'put':
        return result.previous === noRecord ? offset : putRecord(store, target, offset, 2, result.previous, false)
      case 'deleteRange':
        return putRecords(store, target, putIntField(target, offset, 2, result.deleted), 3, result.previous, false)
      case 'range':
        return putRangeTail(target, putRecords(store, target, offset, 2, result.refs, result.keysOnly), result)
      case 'txn': {
        let end = putIntField(target, offset, 2, result.succeeded ? 1 : 0)
        for (const response of result.responses) end = this.putOperation(store, response, target, end)
        return end
      }
    }
  }

  private putOperation(store: MvccStore, result: OperationResult, target: Uint8Array, offset: number): number {
    const outer = this.sizes[this.nextSize++]!
    const inner = this.sizes[this.nextSize++]!
    const operation = putBytesHead(target, offset, 3, outer)
    const answer = putBytesHead(target, operation, operationFields[result.type], inner)
    const header = putBytesHead(target, answer, 1, intFieldSize(3, result.revision))
    return this.putBody(store, result, target, putIntField(target, header, 3, result.revision))
  }
}

/** The size of records as a repeated field. */
export function recordsSize(store: MvccStore, field: number, refs: readonly RecordRef[], keysOnly: boolean): number {
  let size = 0
  for (const ref of refs) size += bytesFieldSize(field, store.encodedLength(ref, keysOnly))
  return size
}

export function putRecord(
  store: MvccStore,
  target: Uint8Array,
  offset: number,
  field: number,
  ref: RecordRef,
  keysOnly: boolean,
): number {
  const start = putBytesHead(target, offset, field, store.encodedLength(ref, keysOnly))
  return store.copyEncoded(ref, target, start, keysOnly)
}

/** The size of what follows the records in a RangeResponse. */
export function rangeTailSize(result: RangeResult): number {
  return (result.more ? boolFieldSize : 0) + intFieldSize(4, result.count)
}

export function putRangeTail(target: Uint8Array, offset: number, result: RangeResult): number {
  return putIntField(target, putIntField(target, offset, 3, result.more ? 1 : 0), 4, result.count)
}

function putRecords(
  store: MvccStore,
  target: Uint8Array,
  offset: number,
  field: number,
  refs: readonly RecordRef[],
  keysOnly: boolean,
): number {
  let end = offset
  for (const ref of refs) end = putRecord(store, target, end, field, ref, keysOnly)
  return end
}
