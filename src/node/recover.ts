/**
 * Makes one survivor a new cluster of its own after a majority of the old one is lost for good.
 *
 * - F1  The new log and state are written beside the old ones and are durable before `identity`, replaced as a whole, points
 *       to them: a loss of power at any moment leaves the old member or the new one.
 * - F2  The new cluster has an id of its own: members of the old one, should they come back, are strangers to it.
 */
import type { CoordinationStateMachine, Member } from '../engine/coordination/index.ts'
import { collapseGroup } from '../engine/replication/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { algorithms, coordinationGroup, createStateMachine } from './coordination-group.ts'
import { claimDataDirectory, homeOf, recoveredHome, recoveryOf } from './data-directory.ts'
import { DataDirectoryError } from './data-directory-error.ts'
import { founder, hex, type Identity, readIdentity, writeIdentity } from './identity.ts'

export interface RecoveryResult {
  readonly name: string
  readonly memberId: bigint
  readonly formerClusterId: bigint
  readonly clusterId: bigint
  /** The last entry of the log that this member had, and what came of the state by it. */
  readonly lastIndex: number
  /** The highest term in which it wrote an entry: the survivor with the highest is the most up-to-date. */
  readonly lastTerm: number
  readonly term: number
  readonly revision: number
  /** Up to here all was committed in the old cluster; of what follows this member alone cannot tell. */
  readonly snapshotIndex: number
  /** Entries after the snapshot, committed or not. */
  readonly entries: number
  /** Entries before the last one that this member never received; with Raft none. */
  readonly missing: number
  /** The other members, which are none any more. */
  readonly removed: readonly Member[]
  /** Where the old log and snapshots still are. */
  readonly former: string
}

export interface RecoveryOptions {
  readonly dataDir: string
  /** Named in the lock of the directory. */
  readonly owner: string
  /** Only say what would be kept: nothing changes but a torn end of the log, which any start would cut off. */
  readonly dryRun?: boolean | undefined
  /** Throws when the directory is not the one that is meant: asked before anything changes. */
  readonly check?: ((identity: Identity) => void) | undefined
  /** The new log's segments, in bytes; for tests. */
  readonly walSegmentBytes?: number | undefined
}

/** Rejects with a {@link DataDirectoryError} that says what to do, or with what the log or a snapshot suffers from. */
export async function recoverMember(runtime: Runtime, options: RecoveryOptions): Promise<RecoveryResult> {
  const { dataDir, owner } = options
  const { disk } = runtime
  if ((await disk.stat(dataDir)) === undefined) throw nothingIn(dataDir)
  const lock = await claimDataDirectory(disk, dataDir, owner)
  try {
    const identity = await readIdentity(disk, dataDir, undefined)
    if (identity === undefined) throw nothingIn(dataDir)
    options.check?.(identity)
    return await recoverFrom(runtime, options, identity)
  } finally {
    await lock.release()
  }
}

async function recoverFrom(runtime: Runtime, options: RecoveryOptions, identity: Identity): Promise<RecoveryResult> {
  const { dataDir } = options
  const { memberId, name } = identity
  const clusterId = newClusterId(runtime, identity.clusterId)
  const machine = createStateMachine(identity.founders)
  const home = recoveredHome(recoveryOf(identity.home) + 1)
  const former = homeOf(dataDir, identity)
  let self: Member | undefined
  let removed: readonly Member[] = []
  const { lastIndex, lastTerm, term, snapshotIndex, entries, missing } = await collapseGroup({
    runtime,
    group: coordinationGroup,
    memberId,
    algorithm: algorithms[identity.algorithm],
    machine,
    from: { directory: former, clusterId: identity.clusterId },
    to: options.dryRun === true ? undefined : { directory: `${dataDir}/${home}`, clusterId },
    walSegmentBytes: options.walSegmentBytes,
    prepare: () => {
      self = survivorIn(machine, identity)
      removed = machine.members().filter((member) => member.id !== memberId)
      machine.replaceMembers([self])
    },
  })
  if (self === undefined)
    throw new DataDirectoryError(
      `${dataDir} belongs to member ${name} (${hex(memberId)}), which has received nothing of its cluster yet: there is nothing to recover from it. Use a member that has data.`,
    )
  const { revision } = machine.store
  const formerClusterId = identity.clusterId
  const result = {
    name,
    memberId,
    formerClusterId,
    clusterId,
    lastIndex,
    lastTerm,
    term,
    revision,
    snapshotIndex,
    entries,
    missing,
    removed,
    former,
  }
  if (options.dryRun === true) return result
  await writeIdentity(runtime.disk, dataDir, {
    ...identity,
    clusterId,
    founders: [founder(memberId, self.name, self.peerUrls)],
    origin: 'recovered',
    peers: [],
    home,
  })
  return result
}

/** This member as the old cluster declared it, as a voter of the new one. */
function survivorIn(machine: CoordinationStateMachine, { memberId, name, clusterId }: Identity): Member {
  const member = machine.member(memberId)
  if (member === undefined)
    throw new DataDirectoryError(
      machine.isRemoved(memberId)
        ? `member ${name} (${hex(memberId)}) was removed from cluster ${hex(clusterId)} and has not followed it since: recover from a member that was none of the removed.`
        : `member ${name} (${hex(memberId)}) has not caught up with its cluster ${hex(clusterId)} far enough to know of its own addition: recover from another member.`,
    )
  return { ...member, isLearner: false }
}

function newClusterId(runtime: Runtime, former: bigint): bigint {
  const { random } = runtime
  for (;;) {
    const id = Buffer.from(random.bytes(8)).readBigUInt64LE(0)
    if (id !== 0n && id !== former) return id
  }
}

function nothingIn(dataDir: string): DataDirectoryError {
  return new DataDirectoryError(`${dataDir} is no member's data directory: it has no identity file. Check --data-dir.`)
}
