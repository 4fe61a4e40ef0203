export { WalError, type WalErrorCode } from './errors.ts'
export { type OpenedWal, type OpenWalOptions, openWal } from './open-wal.ts'
export type {
  GroupWrite,
  NodeTag,
  RecoveredGroup,
  RecoveryReport,
  SnapshotPosition,
  WalState,
} from './types.ts'
export type { Wal } from './wal.ts'
