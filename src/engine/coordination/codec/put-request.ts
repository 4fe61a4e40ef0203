/**
 *     PutRequest = key:bytes=1 value:bytes=2 lease:int64=3 prev_kv:bool=4 ignore_value:bool=5 ignore_lease:bool=6
 *
 * On the hot path: decoded once where it arrives and once on each node that applies it.
 */
import { bytesTag, emptyBytes, type ProtobufReader, varintTag } from '../../../base/index.ts'
import type { PutRequest } from '../messages.ts'

const keyTag = bytesTag(1)
const valueTag = bytesTag(2)
const leaseTag = varintTag(3)
const previousTag = varintTag(4)
const ignoreValueTag = varintTag(5)
const ignoreLeaseTag = varintTag(6)

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function decodePutRequest(reader: ProtobufReader): PutRequest {
  let key = ''
  let value = emptyBytes
  let lease = 0n
  let previous = false
  let ignoreValue = false
  let ignoreLease = false
  while (reader.next()) {
    switch (reader.tag) {
      case keyTag:
        reader.bytes()
        key = reader.binaryString()
        break
      case valueTag:
        reader.bytes()
        value = reader.view()
        break
      case leaseTag:
        lease = reader.int64()
        break
      case previousTag:
        previous = reader.bool()
        break
      case ignoreValueTag:
        ignoreValue = reader.bool()
        break
      case ignoreLeaseTag:
        ignoreLease = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return { type: 'put', key, value, lease, previous, ignoreValue, ignoreLease }
}
