/** etcd's Cluster service: who the members are, and changes of them (`cluster-codec.ts` has the messages). */
import type { CoordinationEngine, Failure, MemberChangeResult } from '../../engine/coordination/index.ts'
import type { GrpcRoutes, UnaryCall } from '../grpc/index.ts'
import {
  decodeMemberAddRequest,
  decodeMemberId,
  decodeMemberListRequest,
  decodeMemberUpdateRequest,
  encodeMemberAdded,
  encodeMembers,
} from './cluster-codec.ts'
import { failCall } from './errors.ts'
import { ResponseHeaderEncoder } from './response-header.ts'
import { decodedUnary } from './service-calls.ts'

/** The methods of `etcdserverpb.Cluster`. As in etcd, their headers have no revision. */
export function clusterRoutes(engine: CoordinationEngine): GrpcRoutes {
  const header = new ResponseHeaderEncoder(engine)
  const replyList = (call: UnaryCall): void => call.reply(header.encode(0), encodeMembers(engine.members()))
  const answerWith = (call: UnaryCall, encode: (result: MemberChangeResult) => Uint8Array) => {
    return (outcome: MemberChangeResult | Failure): void => {
      if (outcome.ok) call.reply(header.encode(0), encode(outcome))
      else failCall(call, outcome.code)
    }
  }
  const encodeChanged = ({ members }: MemberChangeResult): Uint8Array => encodeMembers(members)
  return {
    '/etcdserverpb.Cluster/MemberList': decodedUnary(engine, decodeMemberListRequest, (call, linearizable) => {
      if (!linearizable) {
        replyList(call)
        return
      }
      engine.linearizableRead((outcome) => {
        if (outcome.ok) replyList(call)
        else failCall(call, outcome.code)
      })
    }),
    '/etcdserverpb.Cluster/MemberAdd': decodedUnary(engine, decodeMemberAddRequest, (call, request) => {
      const encodeAdded = ({ id, members }: MemberChangeResult): Uint8Array => {
        return encodeMemberAdded(members.find((member) => member.id === id)!, members)
      }
      engine.memberAdd(request.peerUrls, request.isLearner, answerWith(call, encodeAdded))
    }),
    '/etcdserverpb.Cluster/MemberRemove': decodedUnary(engine, decodeMemberId, (call, id) => {
      engine.memberRemove(id, answerWith(call, encodeChanged))
    }),
    '/etcdserverpb.Cluster/MemberUpdate': decodedUnary(engine, decodeMemberUpdateRequest, (call, { id, peerUrls }) => {
      engine.memberUpdate(id, peerUrls, answerWith(call, encodeChanged))
    }),
    '/etcdserverpb.Cluster/MemberPromote': decodedUnary(engine, decodeMemberId, (call, id) => {
      engine.memberPromote(id, answerWith(call, encodeChanged))
    }),
  }
}
