/**
 * What a node asks the leader about the members, over `Group.callLeader`. The lessor's questions (`leader-codec.ts` of the
 * engine's leases) begin with 1 and 2.
 *
 *     request  = 0x40 id:u64le        where does it stand
 *              | 0x41 id:u64le        has it caught up
 *     response = 0x00                 not understood
 *              | 0x01 answer:u8       its place in `standings` or `catchUps`
 */
import { asBuffer } from '../base/index.ts'
import type { MemberId } from '../core/index.ts'

/** `unsettled`: the configuration does not agree with the declared members yet, as far as this member goes. */
export const standings = ['unsettled', 'voter', 'learner', 'absent'] as const
export const catchUps = ['behind', 'caught-up', 'unknown-member'] as const

export type StandingAnswer = (typeof standings)[number]
export type CatchUpAnswer = (typeof catchUps)[number]

const requestBytes = 9
const kinds = { standing: 0x40, catchUp: 0x41 } as const

export interface MembershipRequest {
  readonly type: keyof typeof kinds
  readonly id: MemberId
}

export function isMembershipRequest(request: Uint8Array): boolean {
  return request[0] === kinds.standing || request[0] === kinds.catchUp
}

export function encodeMembershipRequest({ type, id }: MembershipRequest): Uint8Array {
  const bytes = Buffer.allocUnsafe(requestBytes)
  bytes.writeUInt8(kinds[type], 0)
  bytes.writeBigUInt64LE(id, 1)
  return bytes
}

export function decodeMembershipRequest(request: Uint8Array): MembershipRequest | undefined {
  if (request.length !== requestBytes || !isMembershipRequest(request)) return undefined
  const id = asBuffer(request).readBigUInt64LE(1)
  return { type: request[0] === kinds.standing ? 'standing' : 'catchUp', id }
}

/** `answer` undefined: the request was not understood. */
export function encodeMembershipResponse(answer: StandingAnswer | CatchUpAnswer | undefined): Uint8Array {
  if (answer === undefined) return Buffer.from([0])
  const place = (standings as readonly string[]).indexOf(answer)
  return Buffer.from([1, place >= 0 ? place : (catchUps as readonly string[]).indexOf(answer)])
}

export function decodeStanding(response: Uint8Array): StandingAnswer | undefined {
  return response[0] === 1 && response.length === 2 ? standings[response[1]!] : undefined
}

export function decodeCatchUp(response: Uint8Array): CatchUpAnswer | undefined {
  return response[0] === 1 && response.length === 2 ? catchUps[response[1]!] : undefined
}
