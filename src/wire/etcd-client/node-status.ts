/**
 *     StatusRequest  = (empty)
 *     StatusResponse = header=1 version:string=2 dbSize:int64=3 leader:uint64=4 raftIndex:uint64=5 raftTerm:uint64=6
 *                      raftAppliedIndex:uint64=7 errors:string=8* dbSizeInUse:int64=9 isLearner:bool=10 …
 */
import { bytesTag, ProtobufReader, varintTag } from '../../base/index.ts'
import { type AnswerHead, headerTag, type NodeIds, readHeaderAndIds } from './response-header.ts'

const versionTag = bytesTag(2)
const leaderTag = varintTag(4)
const statusTermTag = varintTag(6)
const isLearnerTag = varintTag(10)

/** What a node says of itself. */
export interface NodeStatus extends AnswerHead, NodeIds {
  readonly version: string
  /** The member that leads, as the node knows; 0n: none. */
  readonly leader: bigint
  readonly isLearner: boolean
}

/** Undefined: the bytes are no such message. */
export function decodeStatusResponse(bytes: Uint8Array): NodeStatus | undefined {
  const reader = new ProtobufReader(bytes)
  const status = {
    ...{ revision: 0, term: 0, clusterId: 0n, memberId: 0n },
    ...{ version: '', leader: 0n, isLearner: false },
  }
  while (reader.next()) {
    switch (reader.tag) {
      case headerTag:
        readHeaderAndIds(reader, status)
        break
      case versionTag:
        reader.bytes()
        status.version = reader.text()
        break
      case leaderTag:
        status.leader = reader.uint64()
        break
      case statusTermTag:
        status.term = reader.number()
        break
      case isLearnerTag:
        status.isLearner = reader.bool()
        break
      default:
        reader.skip()
    }
  }
  return reader.malformed ? undefined : status
}
