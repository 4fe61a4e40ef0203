/** The contract of an upstream: what RPC clients and the proxy ask of a group of endpoints. `openUpstream` makes one. */
import type { BalancedEndpoint, PickRequest } from '../../core/balance/index.ts'
import type { CircuitPermit, EjectionCause } from '../../core/health/index.ts'
import type { EndpointAddress, EndpointSource, UpstreamSettings } from './settings.ts'

/** Why an endpoint gets no requests. `ready` gets them. */
export type EndpointState = 'ready' | 'unhealthy' | 'ejected' | 'draining' | 'unknown'

/** An endpoint as its upstream keeps it. `active` and `latencyMs` are kept by `begin` and `end`. */
export interface UpstreamEndpoint extends BalancedEndpoint {
  readonly address: EndpointAddress
  readonly state: EndpointState
  /** For people: what the last check or ejection said. Empty when ready. */
  readonly reason: string
  /** False once it left the set: it gets no new requests, and those under way may end. */
  readonly isMember: boolean
  /** For whoever sends to it: its connections. Kept as long as the endpoint; nothing else reads it. */
  attachment: unknown
}

/** Why no endpoint was chosen. Each becomes 503, or UNAVAILABLE. */
export type PickRefusal = 'no-endpoints' | 'none-healthy' | 'circuit-open' | 'too-many-requests' | 'all-tried'

/** How one attempt at an endpoint ended. */
export type AttemptResult =
  /** It answered, and the answer says that it is well. */
  | 'success'
  /** It answered that it is not (5xx, UNAVAILABLE), broke the connection, or the attempt timed out. */
  | 'failure'
  /** No connection could be made. */
  | 'connect-failure'
  /** It says nothing about the endpoint: the caller went away, or won elsewhere. */
  | 'cancelled'

/** A group of endpoints that serve the same: found, checked and balanced. {@link openUpstream} makes one. */
export interface Upstream {
  readonly name: string
  readonly settings: UpstreamSettings
  /** All that are known, also those that get nothing now. Replaced, never changed. */
  readonly endpoints: readonly UpstreamEndpoint[]
  /** Resolves when every source has answered for the first time, or rejects when `signal` fires before. */
  ready(signal?: AbortSignal): Promise<void>
  /** Chooses; counts nothing. */
  pick(request: PickRequest<UpstreamEndpoint>): UpstreamEndpoint | PickRefusal
  /** The endpoint of that id, for stickiness; undefined when there is none or it gets no requests now. */
  find(id: string): UpstreamEndpoint | undefined
  /**
   * An attempt begins. Every `begin` is followed by exactly one `end`. `isRetry` (default false): the request was tried
   * before, or is under way elsewhere too, so it does not count as another one. Give what it returns to that `end`: by it
   * the circuit knows the trial from what began before it opened. `nowMs`, here and there: the monotonic clock, for
   * callers that have read it.
   */
  begin(endpoint: UpstreamEndpoint, isRetry?: boolean, nowMs?: number): CircuitPermit
  /**
   * `latencyMs`: from `begin` to the head of the answer, or to the end where none came. That of an attempt that failed or
   * was cancelled says that the endpoint is at least so slow: it counts where that is slower than what is known.
   */
  end(endpoint: UpstreamEndpoint, result: AttemptResult, latencyMs: number, permit: CircuitPermit, nowMs?: number): void
  /** Whether one more attempt of a request that was tried already fits the retry budget; if so it is counted. */
  takeRetry(): boolean
  /** The same for one more attempt beside others that are under way. Hedges have at most half of the budget. */
  takeHedge(): boolean
  /** Tells of every change of `endpoints` or of an endpoint's state, until the returned function is called. */
  onChange(listener: () => void): () => void
  /**
   * New settings for the same upstream; endpoints that stay keep their state.
   *
   * @throws RangeError as {@link openUpstream}; then the old ones stay.
   */
  reconfigure(settings: UpstreamSettings): void
  /** Takes the endpoint out (draining: what is under way goes on) or puts it back; by an operator. False: no such id. */
  setDraining(id: string, draining: boolean): boolean
  /** Requests of other workers at the endpoints, by id: added to `active` where an algorithm counts them. */
  setForeignActive(active: ReadonlyMap<string, number>): void
  view(): UpstreamView
  /** What the active checks say now, for other processes: plain data, fit for JSON. */
  exportHealth(): HealthSnapshot
  /**
   * Applies what the checks of another process say, instead of checks of its own (`activeChecks: false`). Endpoints that
   * the snapshot does not name keep what was said of them last.
   */
  importHealth(snapshot: HealthSnapshot): void
  /**
   * Tells of every change of what `exportHealth` says of an endpoint's health (not of each change of `phi`), until the
   * returned function is called.
   */
  onHealthChange(listener: () => void): () => void
  close(): void
}

/** What active checks say of the endpoints of one upstream. */
export interface HealthSnapshot {
  readonly upstream: string
  readonly endpoints: readonly EndpointHealth[]
}

/** What active checks say of one endpoint. */
export interface EndpointHealth {
  readonly id: string
  /** `unknown`: not checked yet. */
  readonly health: 'unknown' | 'healthy' | 'unhealthy'
  /** For people: why it is unhealthy. Empty otherwise. */
  readonly reason: string
  readonly phi: number | undefined
}

/** An upstream for people and metrics. */
export interface UpstreamView {
  readonly name: string
  readonly policy: string
  readonly circuit: 'closed' | 'open' | 'half-open'
  readonly isPanicking: boolean
  readonly requests: number
  readonly retries: number
  readonly retriesRefused: number
  readonly refusals: Readonly<Record<PickRefusal, number>>
  readonly endpoints: readonly EndpointView[]
  readonly sources: readonly SourceView[]
}

/** How a source of endpoints fares. */
export interface SourceView {
  readonly type: EndpointSource['type']
  /** The DNS name, path or service; empty for `static`. */
  readonly name: string
  /**
   * `pending`: no answer yet. `ready`: the last answer is in use. `failing`: the last attempt failed, and what was found
   * before holds.
   */
  readonly state: 'pending' | 'ready' | 'failing'
  /** For people. Empty when ready. */
  readonly error: string
  readonly endpoints: number
}

/** An endpoint for people and metrics. */
export interface EndpointView {
  readonly id: string
  readonly address: string
  readonly zone: string
  readonly priority: number
  readonly weight: number
  readonly state: EndpointState
  readonly reason: string
  readonly active: number
  readonly latencyMs: number
  readonly successes: number
  readonly failures: number
  readonly ejections: number
  /** The same, by what gave it away. */
  readonly ejectionsByCause: Readonly<Record<EjectionCause, number>>
  /** Suspicion of the phi-accrual detector, from its active checks; undefined where there are none. */
  readonly phi: number | undefined
}
