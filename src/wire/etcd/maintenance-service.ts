/** etcd's Maintenance service. Snapshot and Downgrade are not carried out yet; their paths answer UNIMPLEMENTED. */
import type { MemberId } from '../../core/index.ts'
import { type CoordinationEngine, decodeAlarmRequest } from '../../engine/coordination/index.ts'
import type { Group } from '../../engine/replication/index.ts'
import type { Clock, Scheduler } from '../../runtime/index.ts'
import { type GrpcRoutes, GrpcStatusCode, type UnaryCall } from '../grpc/index.ts'
import { failCall } from './errors.ts'
import { decodeEmptyRequest } from './lease-codec.ts'
import {
  decodeHashKvRequest,
  decodeMoveLeaderRequest,
  encodeAlarms,
  encodeHash,
  encodeHashKv,
  encodeStatus,
} from './maintenance-codec.ts'
import { ResponseHeaderEncoder } from './response-header.ts'
import { decodedUnary } from './service-calls.ts'

export interface MaintenanceServiceContext {
  readonly engine: CoordinationEngine
  readonly group: Pick<Group<unknown>, 'status' | 'transferLeadership' | 'onStatusChange' | 'configuration'>
  readonly clock: Clock
  readonly scheduler: Scheduler
  /** How long a transfer of leadership may take. */
  readonly requestTimeoutMs: number
}

/** One slice of a defragmentation, in milliseconds. */
const defragmentSliceMs = 1

/** The methods of `etcdserverpb.Maintenance`. */
export function maintenanceRoutes(context: MaintenanceServiceContext): GrpcRoutes {
  const { engine } = context
  const header = new ResponseHeaderEncoder(engine)
  return {
    '/etcdserverpb.Maintenance/Alarm': decodedUnary(engine, decodeAlarmRequest, (call, request) => {
      engine.alarm(request, (outcome) => {
        if (outcome.ok) call.reply(header.encode(outcome.revision), encodeAlarms(outcome.alarms))
        else failCall(call, outcome.code)
      })
    }),
    '/etcdserverpb.Maintenance/Status': decodedUnary(
      engine,
      decodeEmptyRequest,
      (call) => call.reply(header.encode(engine.revision), encodeStatus(engine.status())),
      () => true,
    ),
    // Gives back what compaction has left behind. As in etcd, the response has no header.
    '/etcdserverpb.Maintenance/Defragment': decodedUnary(engine, decodeEmptyRequest, (call) => {
      engine.runInSlices(() => {
        if (!call.cancelled && engine.store.reclaim(defragmentSliceMs, () => context.clock.monotonicMs())) return true
        call.reply()
        return false
      })
    }),
    '/etcdserverpb.Maintenance/Hash': decodedUnary(engine, decodeEmptyRequest, (call) => {
      engine.stateHash(({ hash, revision }) => call.reply(header.encode(revision), encodeHash(hash)))
    }),
    '/etcdserverpb.Maintenance/HashKV': decodedUnary(engine, decodeHashKvRequest, (call, revision) => {
      engine.hashKv(Math.max(0, revision), (outcome) => {
        if (outcome.ok) call.reply(header.encode(outcome.revision), encodeHashKv(outcome))
        else failCall(call, outcome.code)
      })
    }),
    '/etcdserverpb.Maintenance/MoveLeader': decodedUnary(engine, decodeMoveLeaderRequest, (call, target) => {
      moveLeader(context, call, target)
    }),
  }
}

/** Answers once this node knows that `target` leads. As in etcd, the response has no header. */
function moveLeader(context: MaintenanceServiceContext, call: UnaryCall, target: MemberId): void {
  const { group, scheduler } = context
  if (group.status().role !== 'leader') {
    failCall(call, 'NOT_LEADER')
    return
  }
  // A voter that does not count as one yet cannot lead either.
  const votes = group.configuration().configuration.voters.includes(target)
  if (!votes || !context.engine.members().some((member) => member.id === target && !member.isLearner)) {
    failCall(call, 'BAD_LEADER_TRANSFEREE')
    return
  }
  if (group.status().leader === target) {
    call.reply()
    return
  }
  const unsubscribe = group.onStatusChange((status) => {
    if (status.leader !== target) return
    finish()
    call.reply()
  })
  const timer = scheduler.setTimer(context.requestTimeoutMs, () => {
    finish()
    call.fail(GrpcStatusCode.unknown, 'etcdserver: request timed out, leader transfer took too long')
  })
  const finish = (): void => {
    unsubscribe()
    timer.cancel()
  }
  call.onCancel(finish)
  group.transferLeadership(target)
}
