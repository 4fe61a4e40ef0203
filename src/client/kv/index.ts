export type { Change } from './changes.ts'
export {
  absent,
  type Condition,
  exists,
  type KeyConditions,
  key,
  type NumberConditions,
  type ValueConditions,
  value,
} from './conditions.ts'
export { createKv } from './create-kv.ts'
export { type KvEntry, kvEntry } from './entry.ts'
export {
  bareKey,
  type KeyInput,
  type KvRange,
  type KvSelection,
  keyBytesOf,
  storedKey,
  storedRange,
  valueBytes,
} from './keys.ts'
export type {
  AtRevision,
  Consistency,
  Expected,
  GetOptions,
  HistoryWatchOptions,
  KvBase,
  KvListOptions,
  KvWithHistory,
  LatestWatchOptions,
  SwapResult,
} from './kv.ts'
export {
  type DeleteAllResult,
  type DeleteResult,
  del,
  delAll,
  get,
  type KeyOperation,
  list,
  type PutOptions,
  type PutResult,
  put,
  type TxnOperation,
} from './operations.ts'
export type { AnyKeyOperation, AnyOperation, Txn, TxnResult, TxnResults } from './txn.ts'
export type {
  TypedChange,
  TypedEntry,
  TypedExpected,
  TypedKv,
  TypedKvWithHistory,
  TypedSwapResult,
} from './typed-view.ts'
