/** Cluster and member ids, derived as etcd derives them, so that the same settings give the same ids there and here. */
import { createHash } from 'node:crypto'
import type { MemberId } from '../../core/index.ts'

/** The first 8 bytes of SHA-1 over the sorted peer URLs and the cluster token, big-endian. */
export function memberIdOf(peerUrls: readonly string[], clusterToken: string): MemberId {
  const digest = createHash('sha1')
    .update([...peerUrls].sort().join('') + clusterToken)
    .digest()
  return digest.readBigUInt64BE(0)
}

/** The first 8 bytes of SHA-1 over the sorted member ids, 8 bytes each, big-endian. */
export function clusterIdOf(members: readonly MemberId[]): bigint {
  const bytes = Buffer.alloc(members.length * 8)
  const sorted = [...members].sort((a, b) => (a < b ? -1 : 1))
  for (const [i, member] of sorted.entries()) bytes.writeBigUInt64BE(member, i * 8)
  return createHash('sha1').update(bytes).digest().readBigUInt64BE(0)
}
