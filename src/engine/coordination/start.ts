import type { CoordinationOptions } from './api.ts'
import { type CoordinationEngineContext, ReplicatedCoordinationEngine } from './engine.ts'
import { LeaseClient, Lessor, type LessorContext } from './leases/index.ts'
import { WatchHub, type WatchHubOptions } from './watch/index.ts'

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
  context: CoordinationEngineContext,
  options: CoordinationServicesOptions,
): CoordinationServices {
  const { runtime, machine, group } = context
  const { clock, scheduler, random, logger } = runtime
  const { electionTimeoutMs, requestTimeoutMs } = options

  const watchHub = new WatchHub({ clock, scheduler, random, store: () => machine.store }, options.watch)
  const unobserve = machine.observe({
    onRevision: () => watchHub.advanced(),
    onCompacting: () => watchHub.flush(),
    onRestored: () => watchHub.replaced(),
  })
  const engine = new ReplicatedCoordinationEngine(context, options)
  const leaseClient = new LeaseClient({ clock, scheduler, group, state: machine }, { requestTimeoutMs })
  const expire: LessorContext['expire'] = (id, done) => engine.leaseRevoke(id, 'expired', done)
  const lessor = new Lessor({ clock, scheduler, logger, group, state: machine, expire }, { electionTimeoutMs })
  group.setLeaderService((request, reply) => lessor.serve(request, reply))

  const stop = (): void => {
    lessor.stop()
    engine.stop()
    unobserve()
  }
  return { engine, lessor, leaseClient, watchHub, stop }
}
