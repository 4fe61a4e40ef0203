import {
  type ActiveCheckKind,
  type ActiveCheckSettings,
  type BalancePolicy,
  type BalanceSettings,
  type CircuitSettings,
  type EndpointSource,
  type OutlierSettings,
  type RetryBudgetSettings,
  type UpstreamSettings,
  upstreamSettingsDefault,
} from './settings.ts'

/** What is to be said of an upstream's behaviour where it is not the default. */
export interface UpstreamChoices {
  /** A policy, or more. */
  readonly balance?: BalancePolicy | Partial<BalanceSettings> | undefined
  /** Default: none. Its pace by default: every 5 s, at most 2 s, 2 good ones bring back and 3 bad ones take out. */
  readonly activeCheck?: ({ readonly check: ActiveCheckKind } & Partial<ActiveCheckSettings>) | undefined
  readonly outlier?: Partial<OutlierSettings> | 'off' | undefined
  readonly circuit?: Partial<CircuitSettings> | undefined
  readonly retryBudget?: Partial<RetryBudgetSettings> | undefined
  /** Default 2,000. */
  readonly connectTimeoutMs?: number | undefined
}

const activeCheckDefault = { intervalMs: 5_000, timeoutMs: 2_000, healthyAfter: 2, unhealthyAfter: 3 }

/**
 * Complete settings of an upstream: what is not said is as in {@link upstreamSettingsDefault}.
 *
 * @example
 * upstreamSettings('orders', [{ type: 'registry', service: 'orders' }], { balance: 'p2c', outlier: { consecutiveFailures: 3 } })
 */
export function upstreamSettings(
  name: string,
  sources: readonly EndpointSource[],
  { balance, activeCheck, outlier, circuit, retryBudget, connectTimeoutMs }: UpstreamChoices = {},
): UpstreamSettings {
  const defaults = upstreamSettingsDefault
  return {
    name,
    sources,
    balance: { ...defaults.balance, ...(typeof balance === 'string' ? { policy: balance } : balance) },
    activeCheck: activeCheck === undefined ? undefined : { ...activeCheckDefault, ...activeCheck },
    outlier: outlier === 'off' ? undefined : { ...defaults.outlier!, ...outlier },
    circuit: { ...defaults.circuit, ...circuit },
    retryBudget: { ...defaults.retryBudget, ...retryBudget },
    connectTimeoutMs: connectTimeoutMs ?? defaults.connectTimeoutMs,
  }
}
