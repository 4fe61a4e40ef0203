/**
 * One endpoint as its upstream keeps it: the facts from which its state follows, and its counters.
 *
 * - E1  `state` and `reason` follow from the facts (`standing`), as of the last `assess`.
 * - E2  `active` is `ownActive`, at least 0, and what was said last of other workers' requests.
 */
import { assert } from '../../base/index.ts'
import { PeakEwma, slowStartFactor, slowStartNextMs } from '../../core/balance/index.ts'
import type { OutlierRecord } from '../../core/health/index.ts'
import type { ResolvedEndpoint } from '../resolvers/index.ts'
import type { EndpointCheck } from './endpoint-check.ts'
import type { EndpointAddress } from './settings.ts'
import type { EndpointState, EndpointView, UpstreamEndpoint } from './upstream.ts'

const neverEjected = { 'failures-in-row': 0, 'success-rate': 0, latency: 0 } as const

export class KeptEndpoint implements UpstreamEndpoint {
  readonly id: string
  address: EndpointAddress
  /** Its own, or less while it warms up. */
  weight: number
  active = 0
  latencyMs = 0
  state: EndpointState = 'ready'
  reason = ''
  isMember = true
  attachment: unknown = undefined

  /** What the source has against it; empty: nothing. */
  sourceReason: string
  isDraining = false
  /** Undefined where there are no active checks. */
  check: EndpointCheck | undefined = undefined
  /** Undefined where nothing is ejected. */
  outlier: OutlierRecord | undefined = undefined
  /** Whether it may be chosen now: it is in a balancer's set. */
  isEligible = false
  /** Whether `state` was computed yet. */
  isSettled = false
  /** When it began to warm up; undefined when it is warm. */
  warmingSinceMs: number | undefined = undefined
  successes = 0
  failures = 0
  private readonly isNewcomer: boolean
  private readonly ewma = new PeakEwma()
  private ownActive = 0

  /** `isNewcomer`: it joins others that are at work, and so warms up first. */
  constructor({ address, unhealthy }: ResolvedEndpoint, isNewcomer: boolean) {
    this.id = address.id
    this.address = address
    this.weight = address.weight
    this.sourceReason = unhealthy
    this.isNewcomer = isNewcomer
  }

  /** What the source tells of it now, at the same place. True when that changes anything. */
  follow({ address, unhealthy }: ResolvedEndpoint): boolean {
    if (this.sourceReason === unhealthy && isSameAddress(address, this.address)) return false
    this.address = address
    this.sourceReason = unhealthy
    return true
  }

  /**
   * Computes the state anew. True when it or its reason changed. An endpoint that becomes ready where others are
   * (`othersReady`) begins to warm up, unless it was there from the beginning and is only now known to be well.
   */
  assess(othersReady: boolean, nowMs: number): boolean {
    const { state, reason } = this.standing()
    const changed = state !== this.state || reason !== this.reason || !this.isSettled
    const wasAway = this.isSettled && this.state !== 'unknown'
    if (state === 'ready' && (this.state !== 'ready' || !this.isSettled))
      this.warmingSinceMs = othersReady && (this.isNewcomer || wasAway) ? nowMs : undefined
    this.state = state
    this.reason = reason
    this.isSettled = true
    return changed
  }

  /** Sets the weight as of now. In how many milliseconds it changes; undefined when it is the full one. */
  warm(slowStartMs: number, nowMs: number): number | undefined {
    const { weight } = this.address
    const ageMs = this.warmingSinceMs === undefined ? slowStartMs : nowMs - this.warmingSinceMs
    if (ageMs >= slowStartMs) this.warmingSinceMs = undefined
    this.weight = weight * slowStartFactor(ageMs, slowStartMs)
    return slowStartNextMs(ageMs, slowStartMs)
  }

  begin(): void {
    this.ownActive++
    this.active++
  }

  end(): void {
    assert(this.ownActive > 0, `an attempt at ${this.id} ended that never began`)
    this.ownActive--
    this.active--
  }

  observe(latencyMs: number, nowMs: number): void {
    this.ewma.observe(nowMs, latencyMs)
    this.latencyMs = this.ewma.valueMs(nowMs)
  }

  /** An endpoint that nobody asks is forgiven, or it would never be asked again. `requests`: of all, since the last call. */
  decay(nowMs: number, requests: number): void {
    this.ewma.rest(nowMs, this.ownActive === 0 ? requests : 0)
    this.latencyMs = this.ewma.valueMs(nowMs)
  }

  get foreignActive(): number {
    return this.active - this.ownActive
  }

  /** E2. */
  setForeignActive(count: number): void {
    this.active = this.ownActive + count
  }

  view(nowMs: number): EndpointView {
    const { host, port, zone, priority } = this.address
    return {
      id: this.id,
      address: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      zone,
      priority,
      weight: this.weight,
      state: this.state,
      reason: this.reason,
      active: this.ownActive,
      latencyMs: this.latencyMs,
      successes: this.successes,
      failures: this.failures,
      ejections: this.outlier?.ejections ?? 0,
      ejectionsByCause: this.outlier === undefined ? neverEjected : { ...this.outlier.ejectionsByCause },
      phi: this.check?.phi(nowMs),
    }
  }

  /** E1. What an operator wants comes first; then what is known for certain. */
  private standing(): { readonly state: EndpointState; readonly reason: string } {
    const { check, outlier } = this
    if (this.isDraining) return { state: 'draining', reason: 'an operator took it out' }
    if (this.sourceReason !== '') return { state: 'unhealthy', reason: this.sourceReason }
    if (check?.health === 'unhealthy') return { state: 'unhealthy', reason: check.reason }
    if (outlier?.isEjected === true) return { state: 'ejected', reason: outlier.reason }
    if (check?.health === 'unknown') return { state: 'unknown', reason: check.reason || 'not checked yet' }
    return { state: 'ready', reason: '' }
  }
}

/** Of ten thousand endpoints at each word of their source: so it is quick for those that are the same. */
function isSameAddress(one: EndpointAddress, other: EndpointAddress): boolean {
  if (one === other) return true
  for (const key of ['id', 'host', 'port', 'weight', 'priority', 'zone'] as const)
    if (one[key] !== other[key]) return false
  if (one.metadata === other.metadata) return true
  const [names, others] = [Object.keys(one.metadata), Object.keys(other.metadata)]
  return names.length === others.length && names.every((name) => one.metadata[name] === other.metadata[name])
}
