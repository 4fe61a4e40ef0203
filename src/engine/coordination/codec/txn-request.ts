/**
 *     TxnRequest = compare:Compare=1* success:RequestOp=2* failure:RequestOp=3*
 *     RequestOp  = oneof { request_range:RangeRequest=1 request_put:PutRequest=2
 *                          request_delete_range:DeleteRangeRequest=3 request_txn:TxnRequest=4 }
 */
import { bytesTag, type ProtobufReader } from '../../../base/index.ts'
import type { Compare, EmptyOperation, Operation, TxnRequest } from '../messages.ts'
import { decodeCompare } from './compare.ts'
import { decodeDeleteRangeRequest } from './delete-range-request.ts'
import { decodePutRequest } from './put-request.ts'
import { decodeRangeRequest } from './range-request.ts'

const compareTag = bytesTag(1)
const successTag = bytesTag(2)
const failureTag = bytesTag(3)

const rangeTag = bytesTag(1)
const putTag = bytesTag(2)
const deleteRangeTag = bytesTag(3)
const txnTag = bytesTag(4)

/** Transactions nested deeper are refused as malformed: far past what `--max-txn-ops` admits, short of the stack's end. */
export const txnDepthMax = 500

const emptyOperation: EmptyOperation = { type: 'empty' }

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function decodeTxnRequest(reader: ProtobufReader, depth = 0): TxnRequest {
  const compares: Compare[] = []
  const success: Operation[] = []
  const failure: Operation[] = []
  if (depth > txnDepthMax) reader.fail()
  while (reader.next()) {
    switch (reader.tag) {
      case compareTag: {
        const outerEnd = reader.enter()
        compares.push(decodeCompare(reader))
        reader.leave(outerEnd)
        break
      }
      case successTag:
        success.push(decodeOperation(reader, depth))
        break
      case failureTag:
        failure.push(decodeOperation(reader, depth))
        break
      default:
        reader.skip()
    }
  }
  return { type: 'txn', compares, success, failure }
}

function decodeOperation(reader: ProtobufReader, depth: number): Operation {
  const outerEnd = reader.enter()
  let operation: Operation = emptyOperation
  while (reader.next()) {
    switch (reader.tag) {
      case rangeTag:
      case putTag:
      case deleteRangeTag:
      case txnTag: {
        const tag = reader.tag
        const operationEnd = reader.enter()
        operation = decodeByTag(reader, tag, depth)
        reader.leave(operationEnd)
        break
      }
      default:
        reader.skip()
    }
  }
  reader.leave(outerEnd)
  return operation
}

function decodeByTag(reader: ProtobufReader, tag: number, depth: number): Operation {
  if (tag === rangeTag) return decodeRangeRequest(reader)
  if (tag === putTag) return decodePutRequest(reader)
  if (tag === deleteRangeTag) return decodeDeleteRangeRequest(reader)
  return decodeTxnRequest(reader, depth + 1)
}
