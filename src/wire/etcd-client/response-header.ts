/**
 *     ResponseHeader = cluster_id:uint64=1 member_id:uint64=2 revision:int64=3 raft_term:uint64=4
 *
 * It is field 1 of every response. Every answer is decoded in full, but the two ids, which never change, only where they
 * are asked for: they cost more than the rest of a small answer.
 */
import { bytesTag, type ProtobufReader, varintTag } from '../../base/index.ts'

/** The tag of the header in every response. */
export const headerTag = bytesTag(1)

const clusterIdTag = varintTag(1)
const memberIdTag = varintTag(2)
const revisionTag = varintTag(3)
const termTag = varintTag(4)

/** What every answer says of the node that gave it. */
export interface AnswerHead {
  /** The newest revision that the node had applied. */
  revision: number
  /** The term of its consensus; 0 where the answer does not say. */
  term: number
}

/** Reads the header that the reader stands on. */
export function readHeader(reader: ProtobufReader, into: AnswerHead): void {
  const outerEnd = reader.enter()
  while (reader.next()) {
    if (reader.tag === revisionTag) into.revision = reader.int64Number()
    else if (reader.tag === termTag) into.term = reader.number()
    else reader.skip()
  }
  reader.leave(outerEnd)
}

export interface NodeIds {
  clusterId: bigint
  memberId: bigint
}

/** As {@link readHeader}, with the ids. */
export function readHeaderAndIds(reader: ProtobufReader, into: AnswerHead & NodeIds): void {
  const outerEnd = reader.enter()
  while (reader.next()) {
    if (reader.tag === clusterIdTag) into.clusterId = reader.uint64()
    else if (reader.tag === memberIdTag) into.memberId = reader.uint64()
    else if (reader.tag === revisionTag) into.revision = reader.int64Number()
    else if (reader.tag === termTag) into.term = reader.number()
    else reader.skip()
  }
  reader.leave(outerEnd)
}
