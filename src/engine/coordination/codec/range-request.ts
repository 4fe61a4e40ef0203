/**
 *     RangeRequest = key:bytes=1 range_end:bytes=2 limit:int64=3 revision:int64=4 sort_order:SortOrder=5
 *                    sort_target:SortTarget=6 serializable:bool=7 keys_only:bool=8 count_only:bool=9
 *                    min_mod_revision:int64=10 max_mod_revision:int64=11
 *                    min_create_revision:int64=12 max_create_revision:int64=13
 *     SortOrder    = NONE=0 | ASCEND=1 | DESCEND=2
 *     SortTarget   = KEY=0 | VERSION=1 | CREATE=2 | MOD=3 | VALUE=4
 */
import { bytesTag, type ProtobufReader, varintTag } from '../../../base/index.ts'
import type { RangeRequest } from '../messages.ts'

const keyTag = bytesTag(1)
const endTag = bytesTag(2)
const limitTag = varintTag(3)
const revisionTag = varintTag(4)
const sortOrderTag = varintTag(5)
const sortTargetTag = varintTag(6)
const serializableTag = varintTag(7)
const keysOnlyTag = varintTag(8)
const countOnlyTag = varintTag(9)
const minModTag = varintTag(10)
const maxModTag = varintTag(11)
const minCreateTag = varintTag(12)
const maxCreateTag = varintTag(13)

/** Reads to the end of the reader's message; the caller checks `reader.malformed`. */
export function decodeRangeRequest(reader: ProtobufReader): RangeRequest {
  let key = ''
  let end = ''
  let limit = 0
  let revision = 0
  let sortOrder = 0
  let sortTarget = 0
  let serializable = false
  let keysOnly = false
  let countOnly = false
  let minModRevision = 0
  let maxModRevision = 0
  let minCreateRevision = 0
  let maxCreateRevision = 0
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
      case limitTag:
        limit = reader.int64Number()
        break
      case revisionTag:
        revision = reader.int64Number()
        break
      case sortOrderTag:
        sortOrder = reader.int32()
        break
      case sortTargetTag:
        sortTarget = reader.int32()
        break
      case serializableTag:
        serializable = reader.bool()
        break
      case keysOnlyTag:
        keysOnly = reader.bool()
        break
      case countOnlyTag:
        countOnly = reader.bool()
        break
      case minModTag:
        minModRevision = reader.int64Number()
        break
      case maxModTag:
        maxModRevision = reader.int64Number()
        break
      case minCreateTag:
        minCreateRevision = reader.int64Number()
        break
      case maxCreateTag:
        maxCreateRevision = reader.int64Number()
        break
      default:
        reader.skip()
    }
  }
  return {
    type: 'range',
    key,
    end: end === '' ? undefined : end,
    limit,
    revision,
    sortOrder,
    sortTarget,
    serializable,
    keysOnly,
    countOnly,
    minModRevision,
    maxModRevision,
    minCreateRevision,
    maxCreateRevision,
  }
}
