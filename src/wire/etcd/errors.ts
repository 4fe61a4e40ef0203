/**
 * The one table from what can go wrong to what etcd's clients expect: a gRPC status and a text. Clients match on the
 * text, so it is etcd 3.6's, letter for letter (`api/v3rpc/rpctypes/error.go`).
 */
import type { EngineErrorCode } from '../../engine/coordination/index.ts'
import { type GrpcFailure, GrpcStatusCode, type UnaryCall } from '../grpc/index.ts'

/** What only the wire layer itself can find wrong. */
export type WireErrorCode =
  | 'NO_LEADER_KNOWN'
  | 'NOT_LEADER'
  | 'NOT_CAPABLE'
  | 'WATCH_CANCELED'
  | 'CLUSTER_ID_MISMATCH'
  | 'INVALID_CLIENT_VERSION'
  | 'NOT_SUPPORTED_FOR_LEARNER'
  | 'BAD_LEADER_TRANSFEREE'
  | 'CANCELED'
  | 'DEADLINE_EXCEEDED'

export type EtcdErrorCode = EngineErrorCode | WireErrorCode

const { invalidArgument, deadlineExceeded, notFound, resourceExhausted, failedPrecondition } = GrpcStatusCode
const { cancelled, unknown, outOfRange, internal, unavailable, dataLoss } = GrpcStatusCode

export const etcdErrors: Readonly<Record<EtcdErrorCode, GrpcFailure>> = {
  // etcd's gRPC library decodes before etcd sees the request, and reports it so.
  MALFORMED_REQUEST: { status: internal, message: 'grpc: error unmarshalling request' },
  EMPTY_KEY: { status: invalidArgument, message: 'etcdserver: key is not provided' },
  EMPTY_OPERATION: { status: invalidArgument, message: 'etcdserver: key not found' },
  KEY_NOT_FOUND: { status: invalidArgument, message: 'etcdserver: key not found' },
  VALUE_PROVIDED: { status: invalidArgument, message: 'etcdserver: value is provided' },
  LEASE_PROVIDED: { status: invalidArgument, message: 'etcdserver: lease is provided' },
  TOO_MANY_OPERATIONS: { status: invalidArgument, message: 'etcdserver: too many operations in txn request' },
  DUPLICATE_KEY: { status: invalidArgument, message: 'etcdserver: duplicate key given in txn request' },
  INVALID_CLIENT_VERSION: { status: invalidArgument, message: 'etcdserver: invalid client api version' },
  INVALID_SORT_OPTION: { status: invalidArgument, message: 'etcdserver: invalid sort option' },
  REQUEST_TOO_LARGE: { status: invalidArgument, message: 'etcdserver: request is too large' },

  COMPACTED: { status: outOfRange, message: 'etcdserver: mvcc: required revision has been compacted' },
  FUTURE_REVISION: { status: outOfRange, message: 'etcdserver: mvcc: required revision is a future revision' },
  NO_SPACE: { status: resourceExhausted, message: 'etcdserver: mvcc: database space exceeded' },
  CORRUPT: { status: dataLoss, message: 'etcdserver: corrupt cluster' },

  LEASE_NOT_FOUND: { status: notFound, message: 'etcdserver: requested lease not found' },
  LEASE_EXISTS: { status: failedPrecondition, message: 'etcdserver: lease already exists' },
  LEASE_TTL_TOO_LARGE: { status: outOfRange, message: 'etcdserver: too large lease TTL' },

  WATCH_CANCELED: { status: cancelled, message: 'etcdserver: watch canceled' },
  MEMBER_EXISTS: { status: failedPrecondition, message: 'etcdserver: member ID already exist' },
  PEER_URL_EXISTS: { status: failedPrecondition, message: 'etcdserver: Peer URLs already exists' },
  // Declared FAILED_PRECONDITION in etcd, but sent without a status, which makes it UNKNOWN (seen in 3.6.16).
  NOT_ENOUGH_STARTED: {
    status: unknown,
    message: 'etcdserver: re-configuration failed due to not enough started members',
  },
  MEMBER_BAD_URLS: { status: invalidArgument, message: 'etcdserver: given member URLs are invalid' },
  MEMBER_NOT_LEARNER: { status: failedPrecondition, message: 'etcdserver: can only promote a learner member' },
  LEARNER_NOT_READY: {
    status: failedPrecondition,
    message: 'etcdserver: can only promote a learner member which is in sync with leader',
  },
  TOO_MANY_LEARNERS: { status: failedPrecondition, message: 'etcdserver: too many learner members in cluster' },
  MEMBER_NOT_FOUND: { status: notFound, message: 'etcdserver: member not found' },
  CLUSTER_ID_MISMATCH: { status: failedPrecondition, message: 'etcdserver: cluster ID mismatch' },
  NOT_SUPPORTED_FOR_LEARNER: { status: failedPrecondition, message: 'etcdserver: rpc not supported for learner' },
  BAD_LEADER_TRANSFEREE: { status: failedPrecondition, message: 'etcdserver: bad leader transferee' },
  NOT_CAPABLE: { status: failedPrecondition, message: 'etcdserver: not capable' },
  UNKNOWN_COMMAND: { status: failedPrecondition, message: 'etcdserver: not capable' },
  NOT_LEADER: { status: failedPrecondition, message: 'etcdserver: not leader' },

  // etcd lets a request wait for a leader until it times out; only streams that require a leader are told "no leader".
  NO_LEADER: { status: unavailable, message: 'etcdserver: request timed out' },
  NO_LEADER_KNOWN: { status: unavailable, message: 'etcdserver: no leader' },
  LEADER_CHANGED: { status: unavailable, message: 'etcdserver: leader changed' },
  TIMEOUT: { status: unavailable, message: 'etcdserver: request timed out' },
  TOO_MANY_REQUESTS: { status: resourceExhausted, message: 'etcdserver: too many requests' },
  // etcd has no word for a leader whose disk is full; this one makes clients try elsewhere.
  DISK_FULL: { status: unavailable, message: 'etcdserver: unhealthy cluster' },
  UNHEALTHY: { status: unavailable, message: 'etcdserver: unhealthy cluster' },
  STOPPED: { status: unavailable, message: 'etcdserver: server stopped' },
  CANCELED: { status: cancelled, message: 'etcdserver: request canceled' },
  DEADLINE_EXCEEDED: { status: deadlineExceeded, message: 'etcdserver: context deadline exceeded' },
}

/** Ends a call with the status and text of an error. */
export function failCall(call: UnaryCall, code: EtcdErrorCode): void {
  const { status, message } = etcdErrors[code]
  call.fail(status, message)
}
