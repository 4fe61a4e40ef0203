export { createVersioned } from './create-versioned.ts'
export { updateValue } from './update-value.ts'
export {
  type Change,
  ConflictError,
  type HistoryItem,
  type StoredValue,
  type Unchanged,
  type Versioned,
  type VersionedValue,
  type VersionedWithHistory,
  type Written,
} from './versioned.ts'
