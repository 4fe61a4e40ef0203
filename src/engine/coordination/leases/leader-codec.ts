/**
 * What followers ask the leader about its soft state, over `Group.callLeader`:
 *
 *     request  = 0x01 id*                  renew these leases      id = i64le
 *              | 0x02 id                   how long does it last
 *     response = 0x00 renewal*             one for each id, in order
 *              | 0x01                      not the leader (any more)
 *              | 0x02                      request not understood
 *     renewal  = state:u8 ms:u64le         state 0: not found, 1: renewed or alive, 2: being revoked
 *                                          ms: the TTL granted (renew), what is left (how long), 0 otherwise
 *
 * Decoders give undefined for what they cannot read.
 */

export type LeaderRequest =
  | { readonly type: 'renew'; readonly ids: readonly bigint[] }
  | { readonly type: 'remaining'; readonly id: bigint }

export const leaseStates = { notFound: 0, alive: 1, revoking: 2 } as const

export interface LeaseState {
  readonly state: number
  readonly ms: number
}

export type LeaderResponse =
  | { readonly type: 'answers'; readonly leases: readonly LeaseState[] }
  | { readonly type: 'not-leader' }
  | { readonly type: 'refused' }

const requestKinds = { renew: 1, remaining: 2 } as const
const responseKinds = { answers: 0, notLeader: 1, refused: 2 } as const
const idBytes = 8
const stateBytes = 9

export function encodeLeaderRequest(request: LeaderRequest): Uint8Array {
  const ids = request.type === 'renew' ? request.ids : [request.id]
  const bytes = Buffer.allocUnsafe(1 + ids.length * idBytes)
  let offset = bytes.writeUInt8(requestKinds[request.type], 0)
  for (const id of ids) offset = bytes.writeBigInt64LE(id, offset)
  return bytes
}

export function decodeLeaderRequest(request: Uint8Array): LeaderRequest | undefined {
  const bytes = view(request)
  if (bytes.byteLength === 0 || (bytes.byteLength - 1) % idBytes !== 0) return undefined
  const ids: bigint[] = []
  for (let offset = 1; offset < bytes.byteLength; offset += idBytes) ids.push(bytes.getBigInt64(offset, true))
  const kind = bytes.getUint8(0)
  if (kind === requestKinds.renew) return { type: 'renew', ids }
  const [id, ...others] = ids
  if (kind !== requestKinds.remaining || id === undefined || others.length > 0) return undefined
  return { type: 'remaining', id }
}

export function encodeLeaderResponse(response: LeaderResponse): Uint8Array {
  if (response.type !== 'answers') {
    return Buffer.from([response.type === 'not-leader' ? responseKinds.notLeader : responseKinds.refused])
  }
  const bytes = Buffer.allocUnsafe(1 + response.leases.length * stateBytes)
  let offset = bytes.writeUInt8(responseKinds.answers, 0)
  for (const { state, ms } of response.leases) {
    offset = bytes.writeUInt8(state, offset)
    offset = bytes.writeBigUInt64LE(BigInt(Math.floor(ms)), offset)
  }
  return bytes
}

export function decodeLeaderResponse(response: Uint8Array): LeaderResponse | undefined {
  const bytes = view(response)
  if (bytes.byteLength === 0) return undefined
  const kind = bytes.getUint8(0)
  if (kind === responseKinds.notLeader) return { type: 'not-leader' }
  if (kind === responseKinds.refused) return { type: 'refused' }
  if (kind !== responseKinds.answers || (bytes.byteLength - 1) % stateBytes !== 0) return undefined
  const leases: LeaseState[] = []
  for (let offset = 1; offset < bytes.byteLength; offset += stateBytes) {
    leases.push({ state: bytes.getUint8(offset), ms: Number(bytes.getBigUint64(offset + 1, true)) })
  }
  return { type: 'answers', leases }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
