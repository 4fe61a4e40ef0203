/**
 * The active checks of one upstream.
 *
 * - H1  Every member has an `EndpointCheck` exactly when the settings ask for checks; and a running loop exactly when
 *       besides this process is to make them.
 * - H2  What is known of an endpoint outlives a change of the settings, until checks by the new ones speak against it.
 */
import type { Network } from '../../runtime/index.ts'
import { CheckLoop, probeOf } from '../checks/index.ts'
import type { TrafficRuntime } from '../resolvers/index.ts'
import { EndpointCheck } from './endpoint-check.ts'
import type { KeptEndpoint } from './kept-endpoint.ts'
import type { ActiveCheckSettings } from './settings.ts'
import type { EndpointHealth, HealthSnapshot } from './upstream.ts'

export interface HealthChecksInit {
  readonly upstreamName: string
  readonly outside: TrafficRuntime
  readonly network: Network
  /** False: what other processes find is imported. */
  readonly isActive: boolean
  /** The health of an endpoint, or its reason, changed. */
  readonly onChange: (endpoint: KeptEndpoint) => void
}

export class HealthChecks {
  private readonly init: HealthChecksInit
  private readonly loops = new Map<KeptEndpoint, CheckLoop>()
  private readonly members = new Set<KeptEndpoint>()
  private settings: ActiveCheckSettings | undefined
  /** Imported of endpoints that are not known yet: another process may hear of them first. Replaced by each import. */
  private early = new Map<string, EndpointHealth>()

  constructor(init: HealthChecksInit, settings: ActiveCheckSettings | undefined) {
    this.init = init
    this.settings = settings
  }

  add(endpoint: KeptEndpoint): void {
    this.members.add(endpoint)
    this.begin(endpoint)
    const early = this.early.get(endpoint.id)
    if (early !== undefined) endpoint.check?.import(early)
  }

  remove(endpoint: KeptEndpoint): void {
    this.members.delete(endpoint)
    this.loops.get(endpoint)?.stop()
    this.loops.delete(endpoint)
  }

  reconfigure(settings: ActiveCheckSettings | undefined): void {
    if (JSON.stringify(settings) === JSON.stringify(this.settings)) return
    this.settings = settings
    for (const loop of this.loops.values()) loop.stop()
    this.loops.clear()
    for (const endpoint of this.members) this.begin(endpoint)
  }

  export(): HealthSnapshot {
    const nowMs = this.init.outside.clock.monotonicMs()
    const endpoints: EndpointHealth[] = []
    for (const { id, check } of this.members)
      if (check !== undefined) endpoints.push({ id, health: check.health, reason: check.reason, phi: check.phi(nowMs) })
    return { upstream: this.init.upstreamName, endpoints }
  }

  /** What a process that checks itself is told is not applied: its own checks are nearer. True when something changed. */
  import(snapshot: HealthSnapshot): boolean {
    if (this.init.isActive || snapshot.upstream !== this.init.upstreamName) return false
    this.early = new Map(snapshot.endpoints.map((endpoint) => [endpoint.id, endpoint]))
    let changed = false
    for (const endpoint of this.members) {
      const told = this.early.get(endpoint.id)
      if (told !== undefined && endpoint.check?.import(told) === true) changed = true
    }
    return changed
  }

  close(): void {
    for (const loop of this.loops.values()) loop.stop()
    this.loops.clear()
    this.members.clear()
  }

  private begin(endpoint: KeptEndpoint): void {
    const { settings } = this
    const { outside, network, isActive, onChange } = this.init
    if (settings === undefined) {
      endpoint.check = undefined
      return
    }
    if (endpoint.check === undefined) endpoint.check = new EndpointCheck(settings)
    else endpoint.check.reconfigure(settings)
    if (!isActive) return
    const { check } = endpoint
    const loop = new CheckLoop(
      outside,
      probeOf(settings.check, endpoint.address, outside, network),
      settings,
      (failure) => {
        if (check.record(failure, outside.clock.monotonicMs())) onChange(endpoint)
      },
    )
    this.loops.set(endpoint, loop)
  }
}
