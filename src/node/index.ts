export { DataDirectoryError, MemberRemovedError } from './data-directory-error.ts'
export type { ProcessMetrics } from './node-metrics.ts'
export { type RecoveryOptions, type RecoveryResult, recoverMember } from './recover.ts'
export { type NodeHooks, type RunningNode, startNode } from './synod-node.ts'
