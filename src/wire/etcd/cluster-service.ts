/**
 * etcd's Cluster service, as far as members do not change: MemberList. The others answer UNIMPLEMENTED.
 *
 *     MemberListRequest  = linearizable:bool=1
 *     MemberListResponse = header=1 members:Member=2*
 *     Member             = ID:uint64=1 name:string=2 peerURLs:string=3* clientURLs:string=4* isLearner:bool=5
 */
import { type ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import type { MemberId } from '../../core/index.ts'
import type { CoordinationEngine } from '../../engine/coordination/index.ts'
import type { GrpcRoutes, UnaryCall } from '../grpc/index.ts'
import { failCall } from './errors.ts'
import { ResponseHeaderEncoder } from './response-header.ts'
import { decodedUnary } from './service-calls.ts'

/** A member as clients see it. */
export interface ClusterMember {
  readonly id: MemberId
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}

export interface ClusterServiceContext {
  readonly engine: CoordinationEngine
  readonly members: () => readonly ClusterMember[]
}

/** The methods of `etcdserverpb.Cluster`. */
export function clusterRoutes({ engine, members }: ClusterServiceContext): GrpcRoutes {
  const header = new ResponseHeaderEncoder(engine)
  // As in etcd, the header has no revision.
  const reply = (call: UnaryCall): void => call.reply(header.encode(0), encodeMembers(members()))
  return {
    '/etcdserverpb.Cluster/MemberList': decodedUnary(engine, decodeMemberListRequest, (call, linearizable) => {
      if (!linearizable) {
        reply(call)
        return
      }
      engine.linearizableRead((outcome) => {
        if (outcome.ok) reply(call)
        else failCall(call, outcome.code)
      })
    }),
  }
}

function decodeMemberListRequest(reader: ProtobufReader): boolean {
  let linearizable = false
  while (reader.next()) {
    if (reader.tag === varintTag(1)) linearizable = reader.bool()
    else reader.skip()
  }
  return linearizable
}

/** Sorted by id, as etcd does. */
function encodeMembers(members: readonly ClusterMember[]): Uint8Array {
  const writer = new ProtobufWriter(256)
  for (const { id, name, peerUrls, clientUrls, isLearner } of [...members].sort(byId)) {
    writer.message(2, (member) => {
      member.int64(1, id).text(2, name)
      for (const url of peerUrls) member.presentText(3, url)
      for (const url of clientUrls) member.presentText(4, url)
      member.bool(5, isLearner)
    })
  }
  return writer.finish()
}

function byId(a: ClusterMember, b: ClusterMember): number {
  return BigInt.asUintN(64, a.id) < BigInt.asUintN(64, b.id) ? -1 : 1
}
