/**
 * What a running member tells a node that wants to join (the body of `transport/join-frames.ts`): JSON in UTF-8.
 *
 * ```
 * { "clusterId", "algorithm", "founders": [member], "members": [member] }      ids in hexadecimal
 * member = { "id", "name", "peerUrls": [URL], "isLearner" }
 * ```
 */
import { asBuffer, utf8Bytes } from '../base/index.ts'
import { type Member, peerUrlLengthMax, peerUrlsMax } from '../engine/coordination/index.ts'
import type { Consensus } from './config/index.ts'
import { hex, isTexts, parseId } from './identity.ts'

/** More than any cluster has. */
const membersMax = 1000

export interface ClusterDescription {
  readonly clusterId: bigint
  readonly algorithm: Consensus
  readonly founders: readonly Member[]
  /** The declared members, as far as the answering one knows. */
  readonly members: readonly Member[]
}

export function encodeClusterDescription({ clusterId, algorithm, founders, members }: ClusterDescription): Uint8Array {
  const plain = (list: readonly Member[]) =>
    list.map(({ id, name, peerUrls, isLearner }) => ({ id: hex(id), name, peerUrls, isLearner }))
  return utf8Bytes(
    JSON.stringify({ clusterId: hex(clusterId), algorithm, founders: plain(founders), members: plain(members) }),
  )
}

/** Undefined when malformed. */
export function decodeClusterDescription(body: Uint8Array): ClusterDescription | undefined {
  let value: { [field: string]: unknown } | null
  try {
    value = JSON.parse(asBuffer(body).toString('utf8')) as typeof value
  } catch {
    return undefined
  }
  const clusterId = parseId(value?.['clusterId'])
  const algorithm = value?.['algorithm']
  const founders = decodeMembers(value?.['founders'])
  const members = decodeMembers(value?.['members'])
  if (clusterId === undefined || founders === undefined || members === undefined) return undefined
  if (algorithm !== 'raft' && algorithm !== 'paxos') return undefined
  return founders.length === 0 ? undefined : { clusterId, algorithm, founders, members }
}

function decodeMembers(list: unknown): Member[] | undefined {
  if (!Array.isArray(list) || list.length > membersMax) return undefined
  const members: Member[] = []
  for (const each of list as ({ [field: string]: unknown } | null)[]) {
    const id = parseId(each?.['id'])
    const name = each?.['name']
    const peerUrls = each?.['peerUrls']
    const isLearner = each?.['isLearner']
    if (id === undefined || typeof name !== 'string' || !isTexts(peerUrls) || typeof isLearner !== 'boolean')
      return undefined
    if (peerUrls.length > peerUrlsMax || peerUrls.some((url) => url.length > peerUrlLengthMax)) return undefined
    members.push({ id, name, peerUrls, clientUrls: [], isLearner })
  }
  return members
}
