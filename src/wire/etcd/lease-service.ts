/** etcd's Lease service over the engine (what is replicated) and the lease client (what only the leader knows). */
import { ProtobufReader } from '../../base/index.ts'
import {
  type CoordinationEngine,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  type LeaseClient,
} from '../../engine/coordination/index.ts'
import { type GrpcRoutes, type StreamCall, streaming } from '../grpc/index.ts'
import { type EtcdErrorCode, etcdErrors, failCall } from './errors.ts'
import type { LeaderMonitor } from './leader-monitor.ts'
import {
  decodeEmptyRequest,
  decodeLeaseTimeToLiveRequest,
  encodeLeaseFields,
  encodeLeaseList,
  encodeTimeToLiveFields,
} from './lease-codec.ts'
import { ResponseHeaderEncoder } from './response-header.ts'
import { decodedUnary } from './service-calls.ts'

export interface LeaseServiceContext {
  readonly engine: CoordinationEngine
  readonly leaseClient: LeaseClient
  readonly leaderMonitor: LeaderMonitor
}

/** Keep-alives of one stream that may be unanswered; past it the stream is not read. */
const unansweredMax = 1000

/** The methods of `etcdserverpb.Lease`. */
export function leaseRoutes(context: LeaseServiceContext): GrpcRoutes {
  const { engine, leaseClient } = context
  const header = new ResponseHeaderEncoder(engine)
  return {
    '/etcdserverpb.Lease/LeaseGrant': decodedUnary(engine, decodeLeaseGrantRequest, (call, request) => {
      engine.leaseGrant(request, call.message, (outcome) => {
        if (!outcome.ok) failCall(call, outcome.code)
        else call.reply(header.encode(outcome.revision), encodeLeaseFields(outcome.id, outcome.ttlSeconds))
      })
    }),
    '/etcdserverpb.Lease/LeaseRevoke': decodedUnary(engine, decodeLeaseRevokeRequest, (call, id) => {
      engine.leaseRevoke(id, 'user', (outcome) => {
        if (outcome.ok) call.reply(header.encode(outcome.revision))
        else failCall(call, outcome.code)
      })
    }),
    '/etcdserverpb.Lease/LeaseTimeToLive': decodedUnary(engine, decodeLeaseTimeToLiveRequest, (call, { id, keys }) => {
      leaseClient.timeToLive(id, keys, (outcome) => {
        if (!outcome.ok) failCall(call, asAsked(outcome.code))
        else call.reply(header.encode(engine.revision), encodeTimeToLiveFields(id, outcome))
      })
    }),
    // Differs: etcd lists what this node happens to have applied; this list has every lease granted before the call.
    '/etcdserverpb.Lease/LeaseLeases': decodedUnary(engine, decodeEmptyRequest, (call) => {
      engine.linearizableRead((outcome) => {
        if (!outcome.ok) failCall(call, outcome.code)
        else call.reply(header.encode(engine.revision), encodeLeaseList(BigInt64Array.from(engine.leases.ids()).sort()))
      })
    }),
    '/etcdserverpb.Lease/LeaseKeepAlive': streaming((call) => new KeepAliveConversation(context, header, call).begin()),
  }
}

/** etcd tells those who ask the leader that there is none, where it lets other requests time out. */
function asAsked(code: EtcdErrorCode): EtcdErrorCode {
  return code === 'NO_LEADER' ? 'NO_LEADER_KNOWN' : code
}

/** One stream of keep-alives. Answers carry the id, and come as they are known. */
class KeepAliveConversation {
  private readonly context: LeaseServiceContext
  private readonly header: ResponseHeaderEncoder
  private readonly call: StreamCall
  private release: () => void = () => {}
  private unanswered = 0
  private halfClosed = false
  private writable = true
  private ended = false

  constructor(context: LeaseServiceContext, header: ResponseHeaderEncoder, call: StreamCall) {
    this.context = context
    this.header = header
    this.call = call
  }

  begin(): void {
    const { call } = this
    const release = this.context.leaderMonitor.admit(call, () => {
      this.ended = true
    })
    if (release === false) return
    this.release = release
    call.onCancel(() => this.close())
    call.onHalfClose(() => {
      this.halfClosed = true
      this.endWhenAnswered()
    })
    call.onDrain(() => {
      this.writable = true
      this.resume()
    })
    call.onMessage((message) => this.receive(message))
  }

  private receive(message: Uint8Array): void {
    const reader = new ProtobufReader(message)
    const id = decodeLeaseRevokeRequest(reader)
    if (reader.malformed) {
      this.fail('MALFORMED_REQUEST')
      return
    }
    // The revision of before the renewal, so that a client that sees the lease's keys deleted at a revision never sees
    // a renewal from after it.
    const header = this.header.encode(this.context.engine.revision)
    if (++this.unanswered >= unansweredMax) this.call.pause()
    this.context.leaseClient.keepAlive(id, (outcome) => {
      this.unanswered--
      if (this.ended) return
      if (!outcome.ok) {
        this.fail(asAsked(outcome.code))
        return
      }
      this.writable = this.call.send(header, encodeLeaseFields(id, outcome.ttlSeconds))
      this.resume()
      this.endWhenAnswered()
    })
  }

  private resume(): void {
    if (!this.writable) this.call.pause()
    else if (this.unanswered < unansweredMax) this.call.resume()
  }

  private endWhenAnswered(): void {
    if (!this.halfClosed || this.unanswered > 0 || this.ended) return
    this.close()
    this.call.end()
  }

  private fail(code: EtcdErrorCode): void {
    this.close()
    const { status, message } = etcdErrors[code]
    this.call.fail(status, message)
  }

  private close(): void {
    this.ended = true
    this.release()
  }
}
