export {
  type CommandType,
  commandTypes,
  encodeCommand,
  encodeLeaseGrantCommand,
  encodeLeaseRevokeCommand,
  leaseExpiredInTerm,
  leaseGrantChoice,
  payloadOffset,
} from './command.ts'
export { decodeDeleteRangeRequest } from './delete-range-request.ts'
export {
  decodeMember,
  decodeMemberAttributes,
  decodeMemberChange,
  encodeMember,
  encodeMemberAttributes,
  encodeMemberChange,
} from './member-change.ts'
export {
  decodeAlarmRequest,
  decodeCompactRequest,
  decodeLeaseGrantRequest,
  decodeLeaseRevokeRequest,
  encodeAlarmRequest,
  encodeCompactRequest,
  encodeLeaseRevokeRequest,
} from './other-requests.ts'
export { decodePutRequest } from './put-request.ts'
export { decodeRangeRequest } from './range-request.ts'
export { decodeTxnRequest } from './txn-request.ts'
