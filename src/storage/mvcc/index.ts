export { MemoryStore } from './memory-store.ts'
export { SnapshotError } from './snapshot-error.ts'
export { MemoryStoreLoader } from './snapshot-loader.ts'
export {
  type HashJob,
  type KeyRange,
  type MvccStore,
  noRecord,
  type RangeCursor,
  type RecordFields,
  type RecordRef,
  type StoreLoader,
  type StoreSnapshot,
  type WriteTransaction,
} from './store.ts'
