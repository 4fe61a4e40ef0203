/**
 *     Compare       = result:CompareResult=1 target:CompareTarget=2 key:bytes=3
 *                     oneof { version:int64=4 create_revision:int64=5 mod_revision:int64=6 value:bytes=7 lease:int64=8 }
 *                     range_end:bytes=64
 *     CompareResult = EQUAL=0 | GREATER=1 | LESS=2 | NOT_EQUAL=3
 *     CompareTarget = VERSION=0 | CREATE=1 | MOD=2 | VALUE=3 | LEASE=4
 *
 * The operand counts only when it is the one that `target` names; otherwise etcd compares with 0 or the empty value.
 */
import { bytesTag, emptyBytes, type ProtobufReader, varintTag } from '../../../base/index.ts'
import { type Compare, compareTargets } from '../messages.ts'

const resultTag = varintTag(1)
const targetTag = varintTag(2)
const keyTag = bytesTag(3)
const versionTag = varintTag(4)
const createTag = varintTag(5)
const modTag = varintTag(6)
const valueTag = bytesTag(7)
const leaseTag = varintTag(8)
const endTag = bytesTag(64)

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function decodeCompare(reader: ProtobufReader): Compare {
  let result = 0
  let target = 0
  let key = ''
  let end = ''
  let number = 0
  let lease = 0n
  let value = emptyBytes
  /** Which member of the oneof came last. */
  let operandTag = 0
  while (reader.next()) {
    switch (reader.tag) {
      case resultTag:
        result = reader.int32()
        break
      case targetTag:
        target = reader.int32()
        break
      case keyTag:
        reader.bytes()
        key = reader.binaryString()
        break
      case versionTag:
      case createTag:
      case modTag:
        operandTag = reader.tag
        number = reader.int64Number()
        break
      case valueTag:
        operandTag = valueTag
        reader.bytes()
        value = reader.view()
        break
      case leaseTag:
        operandTag = leaseTag
        lease = reader.int64()
        break
      case endTag:
        reader.bytes()
        end = reader.binaryString()
        break
      default:
        reader.skip()
    }
  }
  return {
    result,
    target,
    key,
    end: end === '' ? undefined : end,
    number: operandTag === numberTag(target) ? number : 0,
    lease: operandTag === leaseTag ? lease : 0n,
    value: operandTag === valueTag ? value : emptyBytes,
  }
}

/** The operand's tag for the targets that compare numbers; -1 for the others. */
function numberTag(target: number): number {
  if (target === compareTargets.version) return versionTag
  if (target === compareTargets.create) return createTag
  return target === compareTargets.mod ? modTag : -1
}
