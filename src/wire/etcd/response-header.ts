/**
 *     ResponseHeader = cluster_id:uint64=1 member_id:uint64=2 revision:int64=3 raft_term:uint64=4
 *
 * It is field 1 of every response.
 */
import {
  bytesFieldSize,
  int64FieldSize,
  intFieldSize,
  putBytesHead,
  putInt64Field,
  putIntField,
} from '../../base/index.ts'
import type { CoordinationEngine } from '../../engine/coordination/index.ts'

/** Writes one node's response headers: the two ids never change, so they are encoded once. */
export class ResponseHeaderEncoder {
  private readonly engine: CoordinationEngine
  private readonly ids: Buffer

  constructor(engine: CoordinationEngine) {
    const { clusterId, memberId } = engine
    this.engine = engine
    this.ids = Buffer.alloc(int64FieldSize(1, clusterId) + int64FieldSize(2, memberId))
    putInt64Field(this.ids, putInt64Field(this.ids, 0, 1, clusterId), 2, memberId)
  }

  /** The size of the header as a field of a response. The term may not change before `put`: same turn. */
  size(revision: number): number {
    return bytesFieldSize(1, this.innerSize(revision))
  }

  /** Puts it at `offset`; returns the offset after it. */
  put(target: Uint8Array, offset: number, revision: number): number {
    const start = putBytesHead(target, offset, 1, this.innerSize(revision))
    target.set(this.ids, start)
    const end = putIntField(target, start + this.ids.length, 3, revision)
    return putIntField(target, end, 4, this.engine.term)
  }

  /** A response that is only a header. */
  encode(revision: number): Uint8Array {
    const response = Buffer.allocUnsafe(this.size(revision))
    this.put(response, 0, revision)
    return response
  }

  private innerSize(revision: number): number {
    return this.ids.length + intFieldSize(3, revision) + intFieldSize(4, this.engine.term)
  }
}
