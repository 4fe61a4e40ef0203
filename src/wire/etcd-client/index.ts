/** etcd's messages as a client writes and reads them. Decoders refuse what they cannot read; they never throw. */
export { type AuthenticateAnswer, decodeAuthenticateResponse, encodeAuthenticateRequest } from './authenticate.ts'
export type { ReceivedKeyValue } from './key-value.ts'
export { decodeLeaseTime, encodeLeaseGrantRequest, encodeLeaseIdRequest, type LeaseTime } from './lease.ts'
export { decodeStatusResponse, type NodeStatus } from './node-status.ts'
export { etcdPaths } from './paths.ts'
export { decodeRangeResponse, encodeRangeRequest, type RangeAnswer, type RangeQuery } from './range.ts'
export type { AnswerHead } from './response-header.ts'
export {
  decodeTxnResponse,
  encodeTxnRequest,
  type OperationAnswer,
  type SentCompare,
  type SentOperation,
  type TxnAnswer,
} from './txn.ts'
export {
  decodeWatchResponse,
  encodeWatchCancellation,
  encodeWatchCreation,
  encodeWatchProgressRequest,
  noWatchId,
  type ReceivedEvent,
  type WatchAnswer,
  type WatchCreation,
} from './watch.ts'
export {
  type DeleteRangeAnswer,
  decodeDeleteRangeResponse,
  decodeHeaderOnly,
  encodeDeleteRangeRequest,
  encodePutRequest,
} from './writes.ts'
