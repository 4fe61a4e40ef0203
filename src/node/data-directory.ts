/**
 * A member's data directory: who owns it now, and whose it is for good.
 *
 * ```
 * DIR/LOCK       held while a process lives; the kernel frees it
 * DIR/identity   cluster, member, algorithm, incarnation; written once
 * DIR/peers      the incarnation by which each other member is known
 * DIR/wal/       the write-ahead log      DIR/snap/   snapshots
 * ```
 */
import type { MemberId } from '../core/index.ts'
import { type Disk, DiskError, type DiskLock, type Random } from '../runtime/index.ts'
import type { NodeConfig } from './config/index.ts'
import { readSealedFile, writeSealedFile } from './sealed-file.ts'

/** The directory cannot be used by this member; the message says why and what to do. */
export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError'
}

export interface DataDirectory {
  readonly path: string
  /** Drawn when the directory was made. */
  readonly incarnation: bigint
  /** True when this very start made it. */
  readonly fresh: boolean
  /** Whether `peer` may be known under `incarnation`: the first one seen is remembered. */
  recognises(peer: MemberId, incarnation: bigint): boolean
  close(): Promise<void>
}

const identityKind = 'identity'
const peersKind = 'peers'

export async function openDataDirectory(
  disk: Disk,
  random: Random,
  config: NodeConfig,
  owner: string,
  onFailure: (error: unknown) => void,
): Promise<DataDirectory> {
  const path = config.dataDir
  await makeDurably(disk, path)
  let lock: DiskLock
  try {
    lock = await disk.lock(`${path}/LOCK`, owner)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'LOCKED') throw new DataDirectoryError(error.message)
    throw error
  }
  try {
    const found = await readSealedFile(disk, path, 'identity', identityKind)
    const incarnation = found === undefined ? await createIdentity(disk, random, config) : checkIdentity(found, config)
    const peers = await PeerRegister.open(disk, path, onFailure)
    return {
      path,
      incarnation,
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

async function createIdentity(disk: Disk, random: Random, config: NodeConfig): Promise<bigint> {
  const leftovers = (await disk.readDirectory(config.dataDir)).filter((name) => name === 'wal' || name === 'snap')
  if (leftovers.length > 0)
    throw new DataDirectoryError(
      `${config.dataDir} holds ${leftovers.join(' and ')} but no identity file, so whose data it is cannot be told. Restore the file "identity", or move the directory away; then remove this member from the cluster and add it again.`,
    )
  if (config.clusterState === 'existing')
    throw new DataDirectoryError(
      `--initial-cluster-state is "existing", but ${config.dataDir} holds no data of this member. Joining a running cluster is not carried out yet: use "new" to found a cluster, or give the member its data directory back.`,
    )
  const incarnation = Buffer.from(random.bytes(8)).readBigUInt64LE(0)
  await writeSealedFile(disk, config.dataDir, 'identity', identityKind, {
    clusterId: config.clusterId.toString(16),
    memberId: config.memberId.toString(16),
    name: config.name,
    algorithm: 'raft',
    members: config.members.map((member) => `${member.name}=${member.peerUrls.map((url) => url.text).join('+')}`),
    incarnation: incarnation.toString(16),
  })
  return incarnation
}

function checkIdentity(found: Readonly<Record<string, unknown>>, config: NodeConfig): bigint {
  if (found['clusterId'] !== config.clusterId.toString(16))
    throw new DataDirectoryError(
      `${config.dataDir} belongs to another cluster (${String(found['clusterId'])}; the settings mean ${config.clusterId.toString(16)}). It was founded with ${(found['members'] as string[]).join(',')}: use the same --initial-cluster and --initial-cluster-token, or another --data-dir.`,
    )
  if (found['memberId'] !== config.memberId.toString(16))
    throw new DataDirectoryError(
      `${config.dataDir} belongs to member ${String(found['name'])} (${String(found['memberId'])}), not to ${config.name} (${config.memberId.toString(16)}): check --name and --data-dir.`,
    )
  if (found['algorithm'] !== 'raft')
    throw new DataDirectoryError(
      `${config.dataDir} was written by the consensus algorithm ${String(found['algorithm'])}; this version runs raft.`,
    )
  return BigInt(`0x${String(found['incarnation'])}`)
}

/** Makes `path` and its missing parents, so that none of their names is lost with the power. */
async function makeDurably(disk: Disk, path: string): Promise<void> {
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
