/** One client's connection to one node: the etcd calls that the harness makes, over the real wire. */
import type {
  DeleteReply,
  EtcdApi,
  MemberInfo,
  NodeStatus,
  RangeReply,
  RangeRequest,
  TxnReply,
  TxnRequest,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from './etcd-api.ts'
import {
  decodeDelete,
  decodeHashKv,
  decodeLease,
  decodeMembers,
  decodeRange,
  decodeRevision,
  decodeStatus,
  decodeTxn,
  decodeWatch,
  encodeDelete,
  encodeId,
  encodeLeaseGrant,
  encodeLinearizable,
  encodeMemberAdd,
  encodePut,
  encodeRange,
  encodeRevision,
  encodeTxn,
  encodeWatchCreate,
  encodeWatchProgress,
} from './etcd-codec.ts'
import { GrpcConnection } from './grpc-connection.ts'

const empty = new Uint8Array(0)

export class EtcdClient implements EtcdApi {
  private readonly connection: GrpcConnection

  /** Connects when first used, and again after the connection broke. */
  constructor(endpoint: string) {
    this.connection = new GrpcConnection(endpoint)
  }

  async range(request: RangeRequest, timeoutMs: number): Promise<RangeReply> {
    return decodeRange(await this.connection.unary('/etcdserverpb.KV/Range', encodeRange(request), timeoutMs))
  }

  async put(key: string, value: string, timeoutMs: number, lease?: bigint): Promise<number> {
    return decodeRevision(await this.connection.unary('/etcdserverpb.KV/Put', encodePut(key, value, lease), timeoutMs))
  }

  async delete(key: string, timeoutMs: number): Promise<DeleteReply> {
    return decodeDelete(await this.connection.unary('/etcdserverpb.KV/DeleteRange', encodeDelete(key), timeoutMs))
  }

  async txn(request: TxnRequest, timeoutMs: number): Promise<TxnReply> {
    return decodeTxn(await this.connection.unary('/etcdserverpb.KV/Txn', encodeTxn(request), timeoutMs))
  }

  async compact(revision: number, timeoutMs: number): Promise<void> {
    await this.connection.unary('/etcdserverpb.KV/Compact', encodeRevision(revision), timeoutMs)
  }

  async watch(request: WatchRequest, timeoutMs: number, sink: WatchSink): Promise<WatchHandle> {
    const stream = await this.connection.stream('/etcdserverpb.Watch/Watch', timeoutMs, {
      onMessage: (bytes) => {
        const message = decodeWatch(bytes)
        if (message.created) sink.onCreated()
        if (message.events.length > 0) sink.onEvents(message.revision, message.events)
        else if (!message.created && !message.canceled) sink.onProgress(message.revision)
        if (message.canceled) {
          stream.cancel()
          sink.onEnd(message.cancelReason, message.compactRevision)
        }
      },
      onEnd: (end) => sink.onEnd(end?.message ?? 'the node ended the stream', 0),
    })
    stream.send(encodeWatchCreate(request))
    return { requestProgress: () => stream.send(encodeWatchProgress()), cancel: () => stream.cancel() }
  }

  async grantLease(
    ttlSeconds: number,
    timeoutMs: number,
  ): Promise<{ readonly id: bigint; readonly ttlSeconds: number }> {
    const request = encodeLeaseGrant(ttlSeconds)
    return decodeLease(await this.connection.unary('/etcdserverpb.Lease/LeaseGrant', request, timeoutMs))
  }

  async keepLeaseAlive(id: bigint, timeoutMs: number): Promise<number> {
    const reply = await this.connection.unary('/etcdserverpb.Lease/LeaseKeepAlive', encodeId(id), timeoutMs)
    return decodeLease(reply).ttlSeconds
  }

  async revokeLease(id: bigint, timeoutMs: number): Promise<void> {
    await this.connection.unary('/etcdserverpb.Lease/LeaseRevoke', encodeId(id), timeoutMs)
  }

  async status(timeoutMs: number): Promise<NodeStatus> {
    return decodeStatus(await this.connection.unary('/etcdserverpb.Maintenance/Status', empty, timeoutMs))
  }

  /** The hash over all records up to `revision`. */
  async hashKv(revision: number, timeoutMs: number): Promise<number> {
    return decodeHashKv(
      await this.connection.unary('/etcdserverpb.Maintenance/HashKV', encodeRevision(revision), timeoutMs),
    )
  }

  /** Asks the leader, which must be the node called, to hand leadership on. */
  async moveLeader(target: string, timeoutMs: number): Promise<void> {
    await this.connection.unary('/etcdserverpb.Maintenance/MoveLeader', encodeId(BigInt(`0x${target}`)), timeoutMs)
  }

  async members(timeoutMs: number): Promise<MemberInfo[]> {
    return decodeMembers(
      await this.connection.unary('/etcdserverpb.Cluster/MemberList', encodeLinearizable(), timeoutMs),
      2,
    )
  }

  /** Resolves with the new member. */
  async addMember(peerUrl: string, isLearner: boolean, timeoutMs: number): Promise<MemberInfo> {
    const request = encodeMemberAdd(peerUrl, isLearner)
    return decodeMembers(await this.connection.unary('/etcdserverpb.Cluster/MemberAdd', request, timeoutMs), 2)[0]!
  }

  async promoteMember(id: string, timeoutMs: number): Promise<void> {
    await this.connection.unary('/etcdserverpb.Cluster/MemberPromote', encodeId(BigInt(`0x${id}`)), timeoutMs)
  }

  async removeMember(id: string, timeoutMs: number): Promise<void> {
    await this.connection.unary('/etcdserverpb.Cluster/MemberRemove', encodeId(BigInt(`0x${id}`)), timeoutMs)
  }

  close(): void {
    this.connection.close()
  }
}
