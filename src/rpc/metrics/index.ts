export { CallCounts, type MethodCounts } from './call-counts.ts'
export { countAs, countFor, rpcMetrics } from './rpc-metrics.ts'
