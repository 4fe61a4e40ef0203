/**
 *     DeleteRangeRequest = key:bytes=1 range_end:bytes=2 prev_kv:bool=3
 */
import { bytesTag, type ProtobufReader, varintTag } from '../../../base/index.ts'
import type { DeleteRangeRequest } from '../messages.ts'

const keyTag = bytesTag(1)
const endTag = bytesTag(2)
const previousTag = varintTag(3)

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function decodeDeleteRangeRequest(reader: ProtobufReader): DeleteRangeRequest {
  let key = ''
  let end = ''
  let previous = false
  while (reader.next()) {
    switch (reader.tag) {
      case keyTag:
        reader.bytes()
        key = reader.binaryString()
        break
      case endTag:
        reader.bytes()
        end = reader.binaryString()
        break
      case previousTag:
        previous = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return { type: 'deleteRange', key, end: end === '' ? undefined : end, previous }
}
