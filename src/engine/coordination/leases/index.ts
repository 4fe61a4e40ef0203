export {
  type KeepAliveResult,
  LeaseClient,
  type LeaseClientContext,
  type LeaseClientOptions,
  type TimeToLiveResult,
} from './lease-client.ts'
export { MemoryLeaseTable } from './lease-table.ts'
export { defaultLessorOptions, Lessor, type LessorContext, type LessorOptions, type LessorStats } from './lessor.ts'
export { leaseTtlSecondsMax, minLeaseTtlSeconds } from './limits.ts'
