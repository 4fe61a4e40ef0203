/**
 *     KeyValue = key:bytes=1 create_revision:int64=2 mod_revision:int64=3 version:int64=4 value:bytes=5 lease:int64=6
 */
import { type BinaryString, bytesTag, emptyBytes, type ProtobufReader, varintTag } from '../../base/index.ts'

const keyTag = bytesTag(1)
const createRevisionTag = varintTag(2)
const modRevisionTag = varintTag(3)
const versionTag = varintTag(4)
const valueTag = bytesTag(5)
const leaseTag = varintTag(6)

/** A version of a key as a server tells it. */
export interface ReceivedKeyValue {
  readonly key: BinaryString
  /** A copy: it does not keep the received chunk in memory. */
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly leaseId: bigint
}

/**
 * Reads the KeyValue that the reader stands on. One without a key or the revision that made it is malformed: it would be
 * wrong, and empty messages by the million are how a small answer becomes a large heap.
 */
export function readKeyValue(reader: ProtobufReader): ReceivedKeyValue {
  let key = ''
  let value = emptyBytes
  let createRevision = 0
  let modRevision = 0
  let version = 0
  let leaseId = 0n
  const outerEnd = reader.enter()
  while (reader.next()) {
    switch (reader.tag) {
      case keyTag:
        reader.bytes()
        key = reader.binaryString()
        break
      case createRevisionTag:
        createRevision = reader.int64Number()
        break
      case modRevisionTag:
        modRevision = reader.int64Number()
        break
      case versionTag:
        version = reader.int64Number()
        break
      case valueTag:
        reader.bytes()
        value = copyOf(reader)
        break
      case leaseTag:
        leaseId = reader.int64()
        break
      default:
        reader.skip()
    }
  }
  reader.leave(outerEnd)
  if (key === '' || modRevision <= 0) reader.fail()
  return { key, value, createRevision, modRevision, version, leaseId }
}

/** The bytes that were last read, in memory of their own. */
function copyOf(reader: ProtobufReader): Uint8Array {
  const copy = new Uint8Array(reader.stop - reader.start)
  copy.set(reader.view())
  return copy
}
