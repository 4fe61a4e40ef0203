/**
 * A command as the log carries it: a header, then the request's own bytes as they were received.
 *
 *     command = type:u8 headerLength:u8 proposedAt:u48 extra payload
 *     extra   = leaseGrant: id:i64 ttlSeconds:u48        what the proposing node chose
 *             | leaseRevoke: expiredInTerm:u48           0: by a user
 *             | (nothing)                                every other type
 *
 * Little-endian. `headerLength` counts from `type` to before `payload`, so that later versions can add to `extra` (the
 * user and the auth revision) and older nodes still find the payload. `proposedAt` is the proposer's wall clock in
 * milliseconds: for display only, nothing is decided by it.
 */
import { asBuffer } from '../../../base/index.ts'

/** Numbers are forever. 13 to 15 are reserved for settings, 16 to 63 for authentication. */
export const commandTypes = {
  put: 1,
  deleteRange: 2,
  txn: 3,
  compact: 4,
  leaseGrant: 5,
  leaseRevoke: 6,
  alarm: 7,
  memberAttributes: 8,
  memberAdd: 9,
  memberRemove: 10,
  memberUpdate: 11,
  memberPromote: 12,
} as const

export type CommandType = (typeof commandTypes)[keyof typeof commandTypes]

const plainHeaderLength = 8
const leaseGrantHeaderLength = plainHeaderLength + 14
const leaseRevokeHeaderLength = plainHeaderLength + 6

/** Puts the header in front of `payload`: one copy, the only one before the disk. */
export function encodeCommand(type: CommandType, proposedAtMs: number, payload: Uint8Array): Buffer {
  return begin(type, proposedAtMs, plainHeaderLength, payload)
}

/** A grant, with the id and the TTL that the proposing node decided on. */
export function encodeLeaseGrantCommand(
  proposedAtMs: number,
  id: bigint,
  ttlSeconds: number,
  payload: Uint8Array,
): Buffer {
  const command = begin(commandTypes.leaseGrant, proposedAtMs, leaseGrantHeaderLength, payload)
  command.writeBigInt64LE(id, 8)
  command.writeUIntLE(ttlSeconds, 16, 6)
  return command
}

/** `expiredInTerm`: the term of the leader that found the lease expired; 0 when a user ends it. */
export function encodeLeaseRevokeCommand(proposedAtMs: number, expiredInTerm: number, payload: Uint8Array): Buffer {
  const command = begin(commandTypes.leaseRevoke, proposedAtMs, leaseRevokeHeaderLength, payload)
  command.writeUIntLE(expiredInTerm % 0x1_0000_0000_0000, 8, 6)
  return command
}

function begin(type: CommandType, proposedAtMs: number, headerLength: number, payload: Uint8Array): Buffer {
  const command = Buffer.allocUnsafe(headerLength + payload.length)
  command[0] = type
  command[1] = headerLength
  command.writeUIntLE(Math.max(0, proposedAtMs) % 0x1_0000_0000_0000, 2, 6)
  command.set(payload, headerLength)
  return command
}

/** Where the payload starts; -1 when the header is damaged or too short for its type. */
export function payloadOffset(command: Uint8Array): number {
  const headerLength = command[1] ?? 0
  if (headerLength > command.length) return -1
  const type = command[0]
  if (type === commandTypes.leaseGrant) return headerLength >= leaseGrantHeaderLength ? headerLength : -1
  if (type === commandTypes.leaseRevoke) return headerLength >= leaseRevokeHeaderLength ? headerLength : -1
  return headerLength >= plainHeaderLength ? headerLength : -1
}

/** The lease id and TTL in a grant's header. */
export function leaseGrantChoice(command: Uint8Array): { readonly id: bigint; readonly ttlSeconds: number } {
  const buffer = asBuffer(command)
  return { id: buffer.readBigInt64LE(8), ttlSeconds: buffer.readUIntLE(16, 6) }
}

/** The term in whose leader's judgement the lease expired; 0 when a user ended it. */
export function leaseExpiredInTerm(command: Uint8Array): number {
  return asBuffer(command).readUIntLE(8, 6)
}
