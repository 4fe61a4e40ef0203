/**
 * A member's data directory: who owns it now, and whose it is for good.
 *
 * ```
 * DIR/LOCK       held while a process lives; the kernel frees it
 * DIR/identity   cluster, member, algorithm, founders, incarnation: see identity.ts
 * DIR/peers      the incarnation by which each other member is known
 * DIR/members    where the members were last: see address-book.ts
 * DIR/wal/       the write-ahead log      DIR/snap/   snapshots
 * DIR/recovered-N/wal/, …/snap/           these instead, after the N-th recovery
 * ```
 */
import type { MemberId } from '../core/index.ts'
import { type Disk, DiskError, type DiskLock, type Random } from '../runtime/index.ts'
import type { NodeConfig } from './config/index.ts'
import { DataDirectoryError } from './data-directory-error.ts'
import { type Founding, founder, hex, type Identity, readIdentity, writeIdentity } from './identity.ts'
import { readSealedFile, writeSealedFile } from './sealed-file.ts'

export interface DataDirectory {
  readonly identity: Identity
  /** Where the log and the snapshots are. */
  readonly home: string
  /** True when this very start made it. */
  readonly fresh: boolean
  /** Whether `peer` may be known under `incarnation`: the first one seen is remembered. */
  recognises(peer: MemberId, incarnation: bigint): boolean
  close(): Promise<void>
}

const peersKind = 'peers'

/** `join` finds out who this member is in a running cluster. */
export async function openDataDirectory(
  disk: Disk,
  random: Random,
  config: NodeConfig,
  owner: string,
  onFailure: (error: unknown) => void,
  join: () => Promise<Founding>,
): Promise<DataDirectory> {
  const path = config.dataDir
  const lock = await claimDataDirectory(disk, path, owner)
  try {
    const found = await readIdentity(disk, path, config)
    if (found !== undefined) checkIdentity(found, config)
    const identity = found ?? (await createIdentity(disk, random, config, join))
    const home = homeOf(path, identity)
    await makeDurably(disk, home)
    await removeOtherHomes(disk, path, identity)
    const peers = await PeerRegister.open(disk, path, onFailure)
    return {
      identity,
      home,
      fresh: found === undefined,
      recognises: (peer, seen) => peers.recognises(peer, seen),
      close: async () => {
        await peers.settled()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** Makes the directory, if need be, and locks it. */
export async function claimDataDirectory(disk: Disk, path: string, owner: string): Promise<DiskLock> {
  await makeDurably(disk, path)
  try {
    return await disk.lock(`${path}/LOCK`, owner)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'LOCKED')
      throw new DataDirectoryError(error.message, { cause: error })
    throw error
  }
}

/** Where a member's log and snapshots are. */
export function homeOf(path: string, { home }: Pick<Identity, 'home'>): string {
  return home === '' ? path : `${path}/${home}`
}

/**
 * Removes what a recovery left behind that did not come to its end, or came before the last two. What the last one
 * started from stays, and so do the log and the snapshots from before the first, in the directory itself: they are the
 * only copy of what was.
 */
async function removeOtherHomes(disk: Disk, path: string, { home }: Identity): Promise<void> {
  const recovery = recoveryOf(home)
  for (const name of await disk.readDirectory(path)) {
    const other = recoveryOf(name)
    if (other !== 0 && other !== recovery && other !== recovery - 1) await disk.remove(`${path}/${name}`)
  }
}

/** How the N-th recovery names the directory that it makes. */
export function recoveredHome(recovery: number): string {
  return `recovered-${recovery}`
}

/** The inverse of {@link recoveredHome}; 0 for any other name. */
export function recoveryOf(name: string): number {
  return Number(/^recovered-(\d+)$/.exec(name)?.[1] ?? 0)
}

async function createIdentity(
  disk: Disk,
  random: Random,
  config: NodeConfig,
  join: () => Promise<Founding>,
): Promise<Identity> {
  const names = await disk.readDirectory(config.dataDir)
  const leftovers = names.filter((name) => name === 'wal' || name === 'snap' || recoveryOf(name) !== 0)
  if (leftovers.length > 0)
    throw new DataDirectoryError(
      `${config.dataDir} holds ${leftovers.join(' and ')} but no identity file, so whose data it is cannot be told. Restore the file "identity", or move the directory away; then remove this member from the cluster and add it again (synod member remove, synod member add).`,
    )
  const founding = config.clusterState === 'existing' ? await join() : foundingOf(config)
  const identity = { ...founding, incarnation: Buffer.from(random.bytes(8)).readBigUInt64LE(0), home: '' }
  await writeIdentity(disk, config.dataDir, identity)
  return identity
}

/** The settings of a new cluster, as all its founders have them. */
function foundingOf({ clusterId, memberId, name, consensus, members }: NodeConfig): Founding {
  const founders = members.map((member) =>
    founder(
      member.id,
      member.name,
      member.peerUrls.map((url) => url.text),
    ),
  )
  return {
    clusterId,
    memberId,
    name,
    algorithm: consensus,
    founders,
    origin: 'founded',
    foundedAs: clusterId,
    peers: [],
  }
}

/**
 * The settings say how the cluster began; who belongs to it by now, the log knows. So they are compared with the
 * beginning, where this member was there and they claim to tell it.
 */
export function checkIdentity(found: Identity, config: NodeConfig): void {
  const { dataDir, name } = config
  if (config.consensusGiven && config.consensus !== found.algorithm)
    throw new DataDirectoryError(
      `${dataDir} was written by the consensus algorithm ${found.algorithm}, and --consensus says ${config.consensus}: say --consensus ${found.algorithm}. A cluster keeps the algorithm it was founded with.`,
    )
  if (config.clusterState === 'existing' || found.foundedAs === undefined) {
    if (name !== found.name)
      throw new DataDirectoryError(
        `${dataDir} belongs to member ${found.name} (${hex(found.memberId)}), not to ${name}: check --name and --data-dir.`,
      )
    return
  }
  if (found.foundedAs !== config.clusterId) {
    const founders = found.founders.map((member) => `${member.name}=${member.peerUrls.join('+')}`).join(',')
    throw new DataDirectoryError(
      `${dataDir} belongs to another cluster (${hex(found.foundedAs)}; the settings mean ${hex(config.clusterId)}). It was founded with ${founders}: use the same --initial-cluster and --initial-cluster-token, or another --data-dir. If its members have changed since, --initial-cluster-state existing takes the data directory's word.`,
    )
  }
  if (found.memberId !== config.memberId)
    throw new DataDirectoryError(
      `${dataDir} belongs to member ${found.name} (${hex(found.memberId)}), not to ${name} (${hex(config.memberId)}): check --name and --data-dir.`,
    )
}

/** Makes `path` and its missing parents, so that none of their names is lost with the power. */
export async function makeDurably(disk: Disk, path: string): Promise<void> {
  const made = [path]
  for (let parent = parentOf(path); (await disk.stat(parent)) === undefined; parent = parentOf(parent))
    made.push(parent)
  await disk.makeDirectory(path)
  for (const directory of made.reverse()) await disk.syncDirectory(parentOf(directory))
}

/** Remembers, durably, by which incarnation each peer is known. */
class PeerRegister {
  private readonly disk: Disk
  private readonly directory: string
  private readonly onFailure: (error: unknown) => void
  private readonly known: Map<string, string>
  private writing: Promise<void> = Promise.resolve()
  /** There was no room to write it down: the next greeting tries again. */
  private due = false

  private constructor(disk: Disk, directory: string, known: Map<string, string>, onFailure: (error: unknown) => void) {
    this.disk = disk
    this.directory = directory
    this.known = known
    this.onFailure = onFailure
  }

  static async open(disk: Disk, directory: string, onFailure: (error: unknown) => void): Promise<PeerRegister> {
    const found = (await readSealedFile(disk, directory, 'peers', peersKind)) ?? {}
    const known = new Map(Object.entries(found).map(([peer, incarnation]) => [peer, String(incarnation)]))
    return new PeerRegister(disk, directory, known, onFailure)
  }

  recognises(peer: MemberId, incarnation: bigint): boolean {
    const key = peer.toString(16)
    const before = this.known.get(key)
    if (before !== undefined && before !== incarnation.toString(16)) return false
    if (before !== undefined && !this.due) return true
    this.known.set(key, incarnation.toString(16))
    this.due = false
    const value = Object.fromEntries(this.known)
    this.writing = this.writing
      .then(() => writeSealedFile(this.disk, this.directory, 'peers', peersKind, value))
      .catch((error: unknown) => {
        if (error instanceof DiskError && error.code === 'NO_SPACE') this.due = true
        else this.onFailure(error)
      })
    return true
  }

  async settled(): Promise<void> {
    await this.writing
  }
}

function parentOf(path: string): string {
  const slash = path.replace(/\/+$/, '').lastIndexOf('/')
  return slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash)
}
