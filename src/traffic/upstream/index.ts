export type { CircuitPermit } from '../../core/health/index.ts'
export { openUpstream, type UpstreamOptions } from './open-upstream.ts'
export {
  type ActiveCheckKind,
  type ActiveCheckSettings,
  type BalancePolicy,
  type BalanceSettings,
  type CircuitSettings,
  type EndpointAddress,
  type EndpointSource,
  type HashKeySource,
  type OutlierSettings,
  type RetryBudgetSettings,
  type UpstreamSettings,
  upstreamSettingsDefault,
} from './settings.ts'
export type {
  AttemptResult,
  EndpointHealth,
  EndpointState,
  EndpointView,
  HealthSnapshot,
  PickRefusal,
  SourceView,
  Upstream,
  UpstreamEndpoint,
  UpstreamView,
} from './upstream.ts'
export { type UpstreamChoices, upstreamSettings } from './upstream-settings.ts'
