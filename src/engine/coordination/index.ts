export type * from './api.ts'
export {
  decodeAlarmRequest,
  decodeCompactRequest,
  decodeDeleteRangeRequest,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  decodeMember,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  encodeMember,
} from './codec/index.ts'
export { type CoordinationEngineContext, ReplicatedCoordinationEngine } from './engine.ts'
export * from './leases/index.ts'
export type { PromotionCounts } from './member-changes.ts'
export type * from './membership-view.ts'
export * from './messages.ts'
export type * from './results.ts'
export { CoordinationStateMachine, type StoreFactory } from './state/index.ts'
export {
  peerUrlLengthMax,
  peerUrlsMax,
  validateDeleteRange,
  validatePut,
  validateRange,
  validateTxn,
} from './validation/index.ts'
export * from './watch/index.ts'
