import {
  type CoordinationEngineContext,
  type CoordinationOptions,
  LeaseClient,
  Lessor,
  type LessorContext,
  ReplicatedCoordinationEngine,
  WatchHub,
  type WatchHubOptions,
} from '../engine/coordination/index.ts'
import type { GroupMembership } from './group-membership.ts'
import { isMembershipRequest } from './membership-codec.ts'

export interface CoordinationServicesOptions extends CoordinationOptions {
  readonly electionTimeoutMs: number
  /** How long questions to the leader are asked again. */
  readonly requestTimeoutMs: number
  readonly watch?: Partial<WatchHubOptions>
}

/** Everything that serves the coordination plane on one node. */
export interface CoordinationServices {
  readonly engine: ReplicatedCoordinationEngine
  readonly lessor: Lessor
  readonly leaseClient: LeaseClient
  readonly watchHub: WatchHub
  /** Ends timers and background work of all of them. */
  stop(): void
}

/** Sets up the coordination plane over a group and the state machine that it feeds. */
export function startCoordination(
  context: CoordinationEngineContext & { readonly membership: GroupMembership },
  options: CoordinationServicesOptions,
): CoordinationServices {
  const { runtime, machine, group } = context
  const { clock, scheduler, random, logger } = runtime
  const { electionTimeoutMs, requestTimeoutMs } = options

  const watchHub = new WatchHub({ clock, scheduler, random, state: machine }, options.watch)
  const engine = new ReplicatedCoordinationEngine(context, options)
  const leaseClient = new LeaseClient({ clock, scheduler, group, state: machine }, { requestTimeoutMs })
  const expire: LessorContext['expire'] = (id, done) => engine.leaseRevoke(id, 'expired', done)
  const lessor = new Lessor({ clock, scheduler, logger, group, state: machine, expire }, { electionTimeoutMs })
  group.setLeaderService((request, reply) => {
    if (isMembershipRequest(request)) context.membership.serve(request, reply)
    else lessor.serve(request, reply)
  })

  const stop = (): void => {
    lessor.stop()
    engine.stop()
    watchHub.stop()
  }
  return { engine, lessor, leaseClient, watchHub, stop }
}
