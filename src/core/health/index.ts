/** Judging peers by what they do: a failure detector, ejection of outliers, a circuit breaker, a retry budget. */
export {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitPermit,
  type CircuitState,
  noPermit,
} from './circuit-breaker.ts'
export { type CheckedHealth, HealthThreshold, type HealthThresholdOptions } from './health-threshold.ts'
export { type EjectionCause, OutlierDetector, type OutlierOptions, type OutlierRecord } from './outlier.ts'
export { PhiAccrualDetector, type PhiAccrualOptions } from './phi-accrual.ts'
export { RetryBudget, type RetryBudgetOptions } from './retry-budget.ts'
