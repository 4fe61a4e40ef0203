export type { BalancedEndpoint, Balancer, PickRequest, RandomUnit, UpdateSteps } from './balancer.ts'
export { type BalancePolicy, type BalancerOptions, balancePolicies, createBalancer } from './create-balancer.ts'
export { PeakEwma, peakEwmaCost } from './peak-ewma.ts'
export { PlannedBalancer } from './planned-balancer.ts'
export { slowStartFactor, slowStartNextMs } from './slow-start.ts'
export { deterministicSubset, rendezvousSubset } from './subset.ts'
export {
  planTraffic,
  type TrafficGroup,
  type TrafficPlan,
  type TrafficPlanOptions,
  type TrafficTraits,
} from './traffic-plan.ts'
