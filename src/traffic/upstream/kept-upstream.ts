/**
 * One upstream at work. It owns the endpoints; what follows from their states (who is eligible, with which weight) is
 * computed when something changed, so that `pick` only chooses.
 *
 * - U1  `endpoints` are the members, in the order of the sources; `byId` has the same ones.
 * - U2  The balancers hold exactly what `planOf` says of the members' states, as of the last time they were placed. Every
 *       change of a state is followed by that in the same turn, unless it takes long (thousands of endpoints, `Placing`):
 *       then `isStale` holds until it is made up for, and endpoints that are not fit any more are passed over at each pick.
 * - U3  `active` is the sum of the `ownActive` of all endpoints, of former members too.
 */
import { assert } from '../../base/index.ts'
import type { PickRequest, UpdateSteps } from '../../core/balance/index.ts'
import { CircuitBreaker, type CircuitPermit, noPermit, OutlierDetector, RetryBudget } from '../../core/health/index.ts'
import type { Timer } from '../../runtime/index.ts'
import type { ResolvedEndpoint, TrafficRuntime } from '../resolvers/index.ts'
import { Balancing, readsLatency } from './balancing.ts'
import { checkUpstreamSettings } from './check-settings.ts'
import { HealthChecks } from './health-checks.ts'
import { KeptEndpoint } from './kept-endpoint.ts'
import { Listeners } from './listeners.ts'
import type { UpstreamOptions } from './open-upstream.ts'
import { Placing } from './placing.ts'
import { ReadyWaiters } from './ready-waiters.ts'
import type { UpstreamSettings } from './settings.ts'
import { SourceSet } from './source-set.ts'
import type {
  AttemptResult,
  HealthSnapshot,
  PickRefusal,
  Upstream,
  UpstreamEndpoint,
  UpstreamView,
} from './upstream.ts'

/** Where round robin begins: a number below this. */
const offsetBound = 1 << 16
/** How often the latencies of endpoints that nobody asks decay. */
const decayMs = 250
/** Weights are raised at most so often, however short the slow start. */
const warmingStepMsMin = 10

export class KeptUpstream implements Upstream {
  readonly name: string
  settings: UpstreamSettings
  endpoints: readonly KeptEndpoint[] = []
  private readonly outside: TrafficRuntime
  private readonly sources: SourceSet
  private readonly checks: HealthChecks
  private readonly balancing: Balancing<KeptEndpoint>
  private readonly circuit: CircuitBreaker
  private readonly budget: RetryBudget
  private readonly listeners: Listeners
  private readonly healthListeners: Listeners
  private readonly waiters = new ReadyWaiters()
  private outlier: OutlierDetector | undefined
  private byId = new Map<string, KeptEndpoint>()
  /** By an operator; an endpoint that leaves and comes back is still drained. */
  private readonly drained = new Set<string>()
  private active = 0
  private foreignActive = 0
  private requests = 0
  /** `requests` at the last decay. */
  private requestsDecayed = 0
  private retries = 0
  private retriesRefused = 0
  private readonly refusals: Record<PickRefusal, number> = {
    'no-endpoints': 0,
    'none-healthy': 0,
    'circuit-open': 0,
    'too-many-requests': 0,
    'all-tried': 0,
  }
  private readonly placing: Placing
  private isTellDue = false
  /** When a weight changes by the time alone, counted from the last placing; undefined: none does. */
  private warmingInMs: number | undefined
  private sweepTimer: Timer | undefined
  /** What `sweepTimer` runs by; undefined: it does not. */
  private sweepMs: number | undefined
  /** Runs while somebody is ejected, until the first of them may return. */
  private releaseTimer: Timer | undefined
  private warmingTimer: Timer | undefined
  private decayTimer: Timer | undefined
  private closed = false

  constructor(settings: UpstreamSettings, outside: TrafficRuntime, options: UpstreamOptions) {
    const { random, logger, network } = outside
    this.name = settings.name
    this.settings = settings
    this.outside = outside
    this.listeners = new Listeners(logger)
    this.healthListeners = new Listeners(logger)
    this.circuit = new CircuitBreaker(settings.circuit)
    this.budget = new RetryBudget(settings.retryBudget)
    this.outlier = settings.outlier === undefined ? undefined : new OutlierDetector(settings.outlier)
    this.balancing = new Balancing(settings.balance, {
      id: options.callerId ?? String(random.uint32()),
      offset: random.below(offsetBound),
      randomUnit: () => random.float(),
    })
    this.checks = new HealthChecks(
      {
        upstreamName: settings.name,
        outside,
        network: options.checkNetwork ?? network,
        isActive: options.activeChecks ?? true,
        onChange: (endpoint) => this.healthChanged(endpoint),
      },
      settings.activeCheck,
    )
    this.placing = new Placing(outside, {
      place: (nowMs) => this.place(nowMs),
      placed: () => this.placed(),
    })
    this.sources = new SourceSet(settings.name, outside, () => this.join())
    this.sources.reconfigure(settings.sources)
    this.startTimers()
    this.resolveWhenReady()
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.waiters.wait(signal, () => `${this.name} is not ready${this.problemText()}`)
  }

  pick(request: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | PickRefusal {
    const bound = this.bound()
    if (bound !== undefined) return this.refuse(bound)
    const picked = this.placing.isStale ? this.pickStale(request) : this.balancing.pick(request)
    if (picked !== undefined) return picked
    // What is kept back is for the moment in which all others were tried: health is judged later than requests fail.
    const spare = request.isExcluded === undefined ? undefined : this.balancing.pickSpare(request)
    return spare ?? this.refuse(this.whyNone())
  }

  find(id: string): UpstreamEndpoint | undefined {
    const endpoint = this.byId.get(id)
    const isFit = endpoint?.isEligible === true && (!this.placing.isStale || this.isFit(endpoint))
    return isFit && this.bound() === undefined ? endpoint : undefined
  }

  begin(endpoint: UpstreamEndpoint, isRetry = false, nowMs: number = this.outside.clock.monotonicMs()): CircuitPermit {
    assert(endpoint instanceof KeptEndpoint, 'an attempt at an endpoint of another kind of upstream')
    endpoint.begin()
    this.active++
    if (!isRetry) {
      this.requests++
      this.budget.countRequest(nowMs)
    }
    return this.settings.circuit.consecutiveFailures === 0 ? noPermit : this.circuit.begin(nowMs)
  }

  end(
    endpoint: UpstreamEndpoint,
    result: AttemptResult,
    latencyMs: number,
    permit: CircuitPermit,
    nowMs: number = this.outside.clock.monotonicMs(),
  ): void {
    assert(endpoint instanceof KeptEndpoint, 'an attempt at an endpoint of another kind of upstream')
    endpoint.end()
    this.active--
    const { outlier } = endpoint
    if (permit !== noPermit) this.endInCircuit(permit, result, nowMs)
    if (result === 'cancelled') {
      // The loser of a hedge, most of all: how slow it would have been nobody knows, but not faster than this.
      if (latencyMs > endpoint.latencyMs) endpoint.observe(latencyMs, nowMs)
      if (outlier !== undefined) this.outlier?.outlasted(outlier, latencyMs)
      return
    }
    if (result === 'success') {
      endpoint.successes++
      endpoint.observe(latencyMs, nowMs)
      if (outlier !== undefined) this.outlier?.succeeded(outlier, latencyMs)
      return
    }
    endpoint.failures++
    // A failure that took long says that the endpoint is slow; a quick one does not say that it is fast.
    if (result === 'failure' && latencyMs > endpoint.latencyMs) endpoint.observe(latencyMs, nowMs)
    if (outlier !== undefined && this.outlier?.failed(outlier, nowMs) === true) {
      this.refresh(false, endpoint)
      this.awaitRelease()
    }
  }

  takeRetry(): boolean {
    return this.counted(this.budget.takeRetry(this.outside.clock.monotonicMs()))
  }

  takeHedge(): boolean {
    return this.counted(this.budget.takeHedge(this.outside.clock.monotonicMs()))
  }

  private counted(isTaken: boolean): boolean {
    if (isTaken) this.retries++
    else this.retriesRefused++
    return isTaken
  }

  onChange(listener: () => void): () => void {
    return this.listeners.add(listener)
  }

  reconfigure(settings: UpstreamSettings): void {
    assert(settings.name === this.name, `the upstream ${this.name} was given the settings of ${settings.name}`)
    checkUpstreamSettings(settings)
    if (this.closed) return
    this.settings = settings
    this.circuit.reconfigure(settings.circuit)
    this.budget.reconfigure(settings.retryBudget)
    this.balancing.reconfigure(settings.balance)
    this.checks.reconfigure(settings.activeCheck)
    this.reconfigureOutlier()
    this.sources.reconfigure(settings.sources)
    this.startTimers()
    this.join()
    this.refresh()
  }

  setDraining(id: string, draining: boolean): boolean {
    const endpoint = this.byId.get(id)
    if (endpoint === undefined) return false
    if (draining) this.drained.add(id)
    else this.drained.delete(id)
    if (endpoint.isDraining === draining) return true
    endpoint.isDraining = draining
    this.refresh()
    return true
  }

  setForeignActive(active: ReadonlyMap<string, number>): void {
    this.foreignActive = 0
    for (const endpoint of this.endpoints) {
      const count = Math.max(0, active.get(endpoint.id) ?? 0)
      endpoint.setForeignActive(count)
      this.foreignActive += count
    }
  }

  exportHealth(): HealthSnapshot {
    return this.checks.export()
  }

  importHealth(snapshot: HealthSnapshot): void {
    if (this.checks.import(snapshot)) this.healthChanged()
  }

  onHealthChange(listener: () => void): () => void {
    return this.healthListeners.add(listener)
  }

  view(): UpstreamView {
    const nowMs = this.outside.clock.monotonicMs()
    return {
      name: this.name,
      policy: this.settings.balance.policy,
      circuit: this.circuit.state(nowMs),
      isPanicking: this.balancing.isPanicking,
      requests: this.requests,
      retries: this.retries,
      retriesRefused: this.retriesRefused,
      refusals: { ...this.refusals },
      endpoints: this.endpoints.map((endpoint) => endpoint.view(nowMs)),
      sources: this.sources.view(),
    }
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.sources.close()
    this.checks.close()
    for (const timer of [this.sweepTimer, this.releaseTimer, this.warmingTimer, this.decayTimer]) timer?.cancel()
    this.placing.close()
    for (const endpoint of this.endpoints) endpoint.isMember = false
    this.endpoints = []
    this.byId = new Map()
    this.refresh(true)
    this.waiters.reject(new Error(`the upstream ${this.name} was closed`))
    this.listeners.clear()
    this.healthListeners.clear()
  }

  /** What keeps every request away now, whichever endpoint it is meant for. */
  private bound(): PickRefusal | undefined {
    const { circuit } = this.settings
    if (circuit.consecutiveFailures > 0 && !this.circuit.permits(this.outside.clock.monotonicMs()))
      return 'circuit-open'
    return this.active + this.foreignActive >= circuit.requestsMax ? 'too-many-requests' : undefined
  }

  private refuse(refusal: PickRefusal): PickRefusal {
    this.refusals[refusal]++
    return refusal
  }

  private whyNone(): PickRefusal {
    if (this.endpoints.length === 0) return 'no-endpoints'
    return this.balancing.isEmpty ? 'none-healthy' : 'all-tried'
  }

  private endInCircuit(permit: CircuitPermit, result: AttemptResult, nowMs: number): void {
    const told = result === 'connect-failure' ? 'failure' : result
    if (this.circuit.end(permit, told, nowMs)) this.listeners.tell()
  }

  private problemText(): string {
    const { problems } = this.sources
    return problems === '' ? ': its sources have not answered' : `: ${problems}`
  }

  /** The sources told something: joins it with what is there. */
  private join(): void {
    if (this.closed) return
    const resolved = this.sources.joined()
    const isFirst = this.byId.size === 0 || !this.waiters.isResolved
    const before = this.byId
    const next = new Map<string, KeptEndpoint>()
    let changed = resolved.length !== before.size
    for (const found of resolved) {
      const known = before.get(found.address.id)
      if (known !== undefined && isSamePlace(known, found)) {
        if (known.follow(found)) changed = true
        next.set(known.id, known)
        before.delete(known.id)
      } else {
        next.set(found.address.id, this.admit(found, !isFirst))
        changed = true
      }
    }
    for (const gone of before.values()) {
      this.dismiss(gone)
      changed = true
    }
    this.byId = next
    this.endpoints = [...next.values()]
    if (changed) this.refresh(true)
    this.resolveWhenReady()
  }

  private admit(found: ResolvedEndpoint, isNewcomer: boolean): KeptEndpoint {
    const endpoint = new KeptEndpoint(found, isNewcomer)
    endpoint.isDraining = this.drained.has(endpoint.id)
    endpoint.outlier = this.outlier?.track(endpoint.id)
    this.checks.add(endpoint)
    return endpoint
  }

  private dismiss(endpoint: KeptEndpoint): void {
    endpoint.isMember = false
    endpoint.isEligible = false
    this.foreignActive -= endpoint.foreignActive
    endpoint.setForeignActive(0)
    this.checks.remove(endpoint)
    if (endpoint.outlier !== undefined) this.outlier?.untrack(endpoint.outlier)
  }

  private healthChanged(endpoint?: KeptEndpoint): void {
    this.refresh(false, endpoint)
    this.healthListeners.tell()
  }

  /** U2. `isTold`: something changed that is not an endpoint's state. `only`: of all others nothing changed. */
  private refresh(isTold = false, only?: KeptEndpoint): void {
    const nowMs = this.outside.clock.monotonicMs()
    const hadReady = this.endpoints.some(({ state, isSettled }) => isSettled && state === 'ready')
    let changed = isTold
    for (const endpoint of only === undefined ? this.endpoints : [only])
      if (endpoint.assess(hadReady, nowMs)) changed = true
    this.isTellDue ||= changed
    this.placing.due()
  }

  /** The first requests do not wait for a placing that is under way. */
  private resolveWhenReady(): void {
    if (!this.closed && this.sources.isComplete && !this.placing.isUnderWay) this.waiters.resolve()
  }

  /** U2. When nobody else is fit, those are placed who are. */
  private pickStale(request: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | undefined {
    const isUnfit = (endpoint: UpstreamEndpoint): boolean => !this.isFit(endpoint)
    const { key, isExcluded } = request
    const picked = this.balancing.pick({ key, isExcluded: (one) => isUnfit(one) || isExcluded?.(one) === true })
    if (picked !== undefined || this.balancing.pick({ key, isExcluded: isUnfit }) !== undefined) return picked
    this.placing.whole()
    return this.balancing.pick(request)
  }

  /** Whether an endpoint that was placed may still be chosen. */
  private isFit({ isMember, state }: UpstreamEndpoint): boolean {
    if (!isMember || state === 'draining') return false
    return this.balancing.isPanicking || state === 'ready' || state === 'unknown'
  }

  /** Computes weights, and who is eligible. */
  private place(nowMs: number): UpdateSteps | undefined {
    const { slowStartMs } = this.settings.balance
    this.warmingInMs = undefined
    for (const endpoint of this.endpoints) {
      const ownInMs = endpoint.warm(slowStartMs, nowMs)
      if (ownInMs !== undefined) this.warmingInMs = Math.min(this.warmingInMs ?? ownInMs, ownInMs)
    }
    return this.balancing.place(this.endpoints)
  }

  private placed(): void {
    this.warmingTimer?.cancel()
    this.warmingTimer = undefined
    if (this.warmingInMs !== undefined && !this.closed) {
      const delayMs = Math.max(warmingStepMsMin, this.placing.restMs, this.warmingInMs)
      this.warmingTimer = this.outside.scheduler.setTimer(delayMs, () => this.placing.due())
    }
    this.resolveWhenReady()
    if (!this.isTellDue) return
    // What changed while it was under way is told again once it is placed.
    this.isTellDue = this.placing.isStale
    this.listeners.tell()
  }

  private reconfigureOutlier(): void {
    const { outlier } = this.settings
    if (outlier === undefined) {
      this.outlier = undefined
      for (const endpoint of this.endpoints) endpoint.outlier = undefined
    } else if (this.outlier !== undefined) this.outlier.reconfigure(outlier)
    else {
      this.outlier = new OutlierDetector(outlier)
      for (const endpoint of this.endpoints) endpoint.outlier = this.outlier.track(endpoint.id)
    }
  }

  /** Nobody stays out longer because sweeps are rare. */
  private awaitRelease(): void {
    const { scheduler, clock } = this.outside
    const dueMs = this.outlier?.releaseDueMs
    this.releaseTimer?.cancel()
    this.releaseTimer = undefined
    if (dueMs === undefined || this.closed) return
    this.releaseTimer = scheduler.setTimer(Math.max(1, dueMs - clock.monotonicMs()), () => {
      if ((this.outlier?.release(clock.monotonicMs()).length ?? 0) > 0) this.refresh()
      this.awaitRelease()
    })
  }

  private startTimers(): void {
    const { scheduler, clock } = this.outside
    const { outlier, balance } = this.settings
    const sweepMs = outlier?.intervalMs
    const sweep = (intervalMs: number): void => {
      this.sweepTimer = scheduler.setTimer(intervalMs, () => {
        sweep(intervalMs)
        if ((this.outlier?.sweep(clock.monotonicMs()).length ?? 0) === 0) return
        this.refresh()
        this.awaitRelease()
      })
    }
    const decay = (): void => {
      this.decayTimer = scheduler.setTimer(decayMs, () => {
        decay()
        const nowMs = clock.monotonicMs()
        const requests = this.requests - this.requestsDecayed
        this.requestsDecayed = this.requests
        for (const endpoint of this.endpoints) endpoint.decay(nowMs, requests)
      })
    }
    // Those that go on as they did are left alone: however often settings come, sweeps are not put off for ever.
    if (sweepMs !== this.sweepMs) {
      this.sweepTimer?.cancel()
      this.sweepMs = sweepMs
      if (sweepMs !== undefined) sweep(sweepMs)
    }
    if (readsLatency(balance)) {
      if (this.decayTimer === undefined) decay()
    } else {
      this.decayTimer?.cancel()
      this.decayTimer = undefined
    }
  }
}

/** An endpoint that moved is another one: connections and what is known of it belong to the old place. */
function isSamePlace({ address }: KeptEndpoint, found: ResolvedEndpoint): boolean {
  return address.host === found.address.host && address.port === found.address.port
}
