export { isAuthority } from './authority.ts'
export {
  type BufferedView,
  BufferLedger,
  bufferedBytesMaxDefault,
  bufferLedgerOf,
  type Expendable,
  pressedQueueBytes,
} from './buffer-ledger.ts'
export { connectFailureKind } from './connect-failure.ts'
export type * from './exchange.ts'
export type * from './transport.ts'
