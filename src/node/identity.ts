/**
 * Who a member is, for good: the file `identity` of its data directory.
 *
 * ```
 * clusterId, memberId, incarnation   16 hexadecimal digits at most
 * name        the member's name when the directory was made
 * algorithm   raft or paxos
 * members     the founders, as NAME=URL+URL
 * founderIds  their ids, in the same order
 * origin      founded: by the settings. joined: a running cluster. recovered: from what was left of another
 * foundedAs   the cluster id that the founders' settings give; absent when joined
 * peers       joined only: the members at that time, each with memberId and peerUrls
 * home        the subdirectory with wal/ and snap/; absent for the directory itself
 * ```
 */
import type { MemberId } from '../core/index.ts'
import type { Member } from '../engine/coordination/index.ts'
import type { Disk } from '../runtime/index.ts'
import type { Consensus, NodeConfig } from './config/index.ts'
import type { PeerAddress } from './peer-set.ts'
import { readSealedFile, SealedFileError, writeSealedFile } from './sealed-file.ts'

export interface Identity {
  readonly clusterId: bigint
  readonly memberId: MemberId
  readonly name: string
  readonly algorithm: Consensus
  readonly incarnation: bigint
  /** The members at the very beginning of the cluster, the same on all its nodes. */
  readonly founders: readonly Member[]
  readonly origin: 'founded' | 'joined' | 'recovered'
  /** What --initial-cluster and --initial-cluster-token must mean; undefined: they are not looked at. */
  readonly foundedAs: bigint | undefined
  /** Who could be asked when this member joined. */
  readonly peers: readonly PeerAddress[]
  /** Where its log and snapshots are, below the data directory; empty for the directory itself. */
  readonly home: string
}

/** What an identity is made of, before there is a directory to give it an incarnation. */
export type Founding = Omit<Identity, 'incarnation' | 'home'>

const fileName = 'identity'

export async function writeIdentity(disk: Disk, directory: string, identity: Identity): Promise<void> {
  const { founders, peers, foundedAs, home } = identity
  await writeSealedFile(disk, directory, fileName, fileName, {
    clusterId: hex(identity.clusterId),
    memberId: hex(identity.memberId),
    name: identity.name,
    algorithm: identity.algorithm,
    members: founders.map((member) => `${member.name}=${member.peerUrls.join('+')}`),
    founderIds: founders.map((member) => hex(member.id)),
    origin: identity.origin,
    ...(foundedAs === undefined ? {} : { foundedAs: hex(foundedAs) }),
    ...(peers.length === 0 ? {} : { peers: peers.map(({ id, peerUrls }) => ({ memberId: hex(id), peerUrls })) }),
    ...(home === '' ? {} : { home }),
    incarnation: hex(identity.incarnation),
  })
}

/**
 * Undefined when there is none. `config` gives the founders' ids where a file of an earlier version has none. Rejects with
 * a {@link SealedFileError}.
 */
export async function readIdentity(
  disk: Disk,
  directory: string,
  config: Pick<NodeConfig, 'members'> | undefined,
): Promise<Identity | undefined> {
  const found = await readSealedFile(disk, directory, fileName, fileName)
  if (found === undefined) return undefined
  const fields = new Fields(found, `${directory}/${fileName}`)
  const clusterId = fields.id('clusterId')
  const origin = found['origin'] ?? 'founded'
  if (origin !== 'founded' && origin !== 'joined' && origin !== 'recovered') throw fields.malformed('origin')
  const algorithm = found['algorithm']
  if (algorithm !== 'raft' && algorithm !== 'paxos') throw fields.malformed('algorithm')
  return {
    clusterId,
    memberId: fields.id('memberId'),
    name: fields.text('name'),
    algorithm,
    incarnation: fields.id('incarnation'),
    founders: fields.founders(config),
    origin,
    foundedAs: 'foundedAs' in found ? fields.id('foundedAs') : origin === 'founded' ? clusterId : undefined,
    peers: fields.peers(),
    home: 'home' in found ? fields.text('home') : '',
  }
}

/** Reads typed fields; a file with a good checksum and other content was written by hand, or by a bug. */
class Fields {
  private readonly found: Readonly<Record<string, unknown>>
  private readonly path: string

  constructor(found: Readonly<Record<string, unknown>>, path: string) {
    this.found = found
    this.path = path
  }

  malformed(field: string): SealedFileError {
    return new SealedFileError(
      `${this.path} says nothing that can be understood as "${field}". Restore it from a backup.`,
    )
  }

  text(field: string): string {
    const value = this.found[field]
    if (typeof value !== 'string') throw this.malformed(field)
    return value
  }

  id(field: string): bigint {
    return parseId(this.found[field]) ?? this.fail(field)
  }

  founders(config: Pick<NodeConfig, 'members'> | undefined): Member[] {
    const { members, founderIds } = this.found
    if (founderIds === undefined && config !== undefined)
      return config.members.map(({ id, name, peerUrls }) =>
        founder(
          id,
          name,
          peerUrls.map((url) => url.text),
        ),
      )
    if (!isTexts(members) || !isTexts(founderIds) || members.length !== founderIds.length) return this.fail('members')
    return members.map((text, i) => {
      const match = /^(.*?)=(.+)$/s.exec(text)
      const id = parseId(founderIds[i])
      if (match === null || id === undefined) return this.fail('members')
      return founder(id, match[1]!, match[2]!.split('+'))
    })
  }

  peers(): PeerAddress[] {
    const { peers = [] } = this.found
    if (!Array.isArray(peers)) return this.fail('peers')
    return peers.map((peer: { memberId?: unknown; peerUrls?: unknown } | null) => {
      const id = parseId(peer?.memberId)
      const peerUrls = peer?.peerUrls
      return id === undefined || !isTexts(peerUrls) ? this.fail('peers') : { id, peerUrls }
    })
  }

  private fail(field: string): never {
    throw this.malformed(field)
  }
}

/** A member as it is at the beginning: nothing published yet. */
export function founder(id: MemberId, name: string, peerUrls: readonly string[]): Member {
  return { id, name, peerUrls, clientUrls: [], isLearner: false }
}

/** An id as `hex` writes it. */
export function parseId(value: unknown): bigint | undefined {
  return typeof value === 'string' && /^[0-9a-f]{1,16}$/.test(value) ? BigInt(`0x${value}`) : undefined
}

export function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

export function hex(id: bigint): string {
  return id.toString(16)
}
