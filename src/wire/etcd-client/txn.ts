/**
 *     TxnRequest  = compare:Compare=1* success:RequestOp=2* failure:RequestOp=3*
 *     Compare     = result:CompareResult=1 target:CompareTarget=2 key:bytes=3
 *                   oneof { version:int64=4 create_revision:int64=5 mod_revision:int64=6 value:bytes=7 lease:int64=8 }
 *                   range_end:bytes=64
 *     CompareResult = EQUAL=0 | GREATER=1 | LESS=2 | NOT_EQUAL=3
 *     CompareTarget = VERSION=0 | CREATE=1 | MOD=2 | VALUE=3 | LEASE=4
 *     RequestOp   = oneof { request_range=1 request_put=2 request_delete_range=3 request_txn=4 }
 *     TxnResponse = header=1 succeeded:bool=2 responses:ResponseOp=3*
 *     ResponseOp  = oneof { response_range=1 response_put=2 response_delete_range=3 response_txn=4 }
 */
import { type BinaryString, bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { type RangeAnswer, type RangeQuery, readRangeResponse } from './range.ts'
import { type AnswerHead, headerTag, readHeader } from './response-header.ts'
import { type DeleteRangeAnswer, readDeleteRangeResponse, readHeaderOnly } from './writes.ts'

/** A condition of a transaction. A key that is not there has version and revisions 0, and meets no condition on its value. */
export type SentCompare =
  | {
      readonly key: BinaryString
      readonly target: 'version' | 'createRevision' | 'modRevision'
      readonly is: '=' | '!=' | '<' | '>'
      readonly number: number
    }
  | { readonly key: BinaryString; readonly target: 'value'; readonly is: '=' | '!='; readonly value: Uint8Array }

export type SentOperation =
  | { readonly type: 'range'; readonly key: BinaryString; readonly query: RangeQuery }
  | { readonly type: 'put'; readonly key: BinaryString; readonly value: Uint8Array; readonly leaseId: bigint }
  | { readonly type: 'delete'; readonly key: BinaryString; readonly end: BinaryString }

const results = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const
const targets = { version: 0, createRevision: 1, modRevision: 2, value: 3 } as const

/** The returned bytes belong to the caller. */
export function encodeTxnRequest(
  compares: readonly SentCompare[],
  success: readonly SentOperation[],
  failure: readonly SentOperation[],
): Uint8Array {
  const writer = new ProtobufWriter(256)
  for (const compare of compares) writer.message(1, (inner) => writeCompare(inner, compare))
  for (const operation of success) writer.message(2, (inner) => writeOperation(inner, operation))
  for (const operation of failure) writer.message(3, (inner) => writeOperation(inner, operation))
  return writer.finish()
}

function writeCompare(writer: ProtobufWriter, compare: SentCompare): void {
  const target = targets[compare.target]
  writer.int(1, results[compare.is]).int(2, target).binaryString(3, compare.key)
  if (compare.target === 'value') writer.presentBytes(7, compare.value)
  else writer.presentInt(4 + target, compare.number)
}

function writeOperation(writer: ProtobufWriter, operation: SentOperation): void {
  switch (operation.type) {
    case 'range':
      writer.message(1, (inner) => writeRange(inner, operation.key, operation.query))
      return
    case 'put':
      writer.message(2, (inner) => {
        inner.binaryString(1, operation.key).bytes(2, operation.value).int64(3, operation.leaseId)
      })
      return
    case 'delete':
      writer.message(3, (inner) => inner.binaryString(1, operation.key).binaryString(2, operation.end))
  }
}

function writeRange(writer: ProtobufWriter, key: BinaryString, query: RangeQuery): void {
  writer
    .binaryString(1, key)
    .binaryString(2, query.end ?? '')
    .int(3, query.limit ?? 0)
    .int(4, query.revision ?? 0)
    .bool(7, query.serializable === true)
    .bool(8, query.keysOnly === true)
}

/** What one operation of a transaction answered. */
export type OperationAnswer =
  | ({ readonly type: 'range' } & RangeAnswer)
  | ({ readonly type: 'put' } & AnswerHead)
  | ({ readonly type: 'delete' } & DeleteRangeAnswer)

export interface TxnAnswer extends AnswerHead {
  readonly succeeded: boolean
  readonly answers: readonly OperationAnswer[]
}

const succeededTag = varintTag(2)
const answerTag = bytesTag(3)
const rangeTag = bytesTag(1)
const putTag = bytesTag(2)
const deleteRangeTag = bytesTag(3)

/** Undefined: the bytes are no such message. */
export function decodeTxnResponse(bytes: Uint8Array): TxnAnswer | undefined {
  const reader = new ProtobufReader(bytes)
  const answer = { revision: 0, term: 0, succeeded: false, answers: [] as OperationAnswer[] }
  while (reader.next()) {
    switch (reader.tag) {
      case headerTag:
        readHeader(reader, answer)
        break
      case succeededTag:
        answer.succeeded = reader.bool()
        break
      case answerTag: {
        const operation = readOperationAnswer(reader)
        if (operation !== undefined) answer.answers.push(operation)
        break
      }
      default:
        reader.skip()
    }
  }
  return reader.malformed ? undefined : answer
}

/** Answers of kinds that were not asked for are malformed, as are those that say nothing. */
function readOperationAnswer(reader: ProtobufReader): OperationAnswer | undefined {
  let answer: OperationAnswer | undefined
  const outerEnd = reader.enter()
  while (reader.next()) {
    const { tag } = reader
    if (tag === rangeTag || tag === putTag || tag === deleteRangeTag) {
      const operationEnd = reader.enter()
      if (tag === rangeTag) answer = { type: 'range', ...readRangeResponse(reader) }
      else if (tag === putTag) answer = { type: 'put', ...readHeaderOnly(reader) }
      else answer = { type: 'delete', ...readDeleteRangeResponse(reader) }
      reader.leave(operationEnd)
    } else reader.skip()
  }
  reader.leave(outerEnd)
  if (answer === undefined) reader.fail()
  return answer
}
