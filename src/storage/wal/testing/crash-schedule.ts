import type { Entry, EntryKind, HardState } from '../../../core/index.ts'
import { silentLogger } from '../../../runtime/index.ts'
import { openWal } from '../open-wal.ts'
import type { GroupWrite, SnapshotPosition } from '../types.ts'
import type { Wal } from '../wal.ts'
import { CrashDisk, type CrashDiskFaults, TestRandom } from './crash-disk.ts'
import { LogModel } from './log-model.ts'

export const testTag = { clusterId: 0xffff_ffff_ffff_fff1n, memberId: 2n ** 63n + 1n }
export const testDirectory = '/data/wal'

export interface CrashScheduleOptions {
  readonly skipSync?: CrashDiskFaults['skipSync']
  /** After an acknowledged crash, before the next start: damages what a single fault may damage. */
  readonly damage?: ((disk: CrashDisk, random: TestRandom) => void) | undefined
}

const kinds: readonly EntryKind[] = ['noop', 'command', 'configuration']
const groupCount = 4

interface GroupHost {
  readonly group: number
  readonly mode: 'log' | 'slots'
  term: number
  nextIndex: number
  snapshot: SnapshotPosition
  /** Terms of entries by index, for snapshots. */
  readonly terms: Map<number, number>
}

/**
 * Lets a host live, crash and live again on one disk, all from one seed: appends of several groups under way at once,
 * rewritten suffixes, snapshots, releases, restarts after a snapshot, full disks, failing syncs, clean closes. Throws when
 * a start does not find what must have survived.
 */
export async function runCrashSchedule(seed: string, options: CrashScheduleOptions = {}): Promise<void> {
  const random = new TestRandom(seed)
  const model = new LogModel()
  const hosts = Array.from({ length: groupCount }, (_, group) => newHost(group))
  let disk = new CrashDisk(random)
  for (let life = 0; life < 5; life++) {
    disk.faults.skipSync = options.skipSync
    if (life < 4) disk.faults.crashAtBoundary = random.below(random.below(2) === 0 ? 60 : 600)
    const outcome = { crashed: false }
    const work = live(disk, random, model, hosts, life === 4 ? 0 : 30)
    await Promise.race([work, disk.crashed.then(() => Object.assign(outcome, { crashed: true }))])
    disk = random.below(5) === 0 ? disk.afterProcessDeath() : disk.afterPowerLoss()
    if (outcome.crashed) options.damage?.(disk, random)
  }
}

function newHost(group: number): GroupHost {
  return {
    group,
    mode: group % 2 === 0 ? 'log' : 'slots',
    term: 1,
    nextIndex: 1,
    snapshot: { index: 0, term: 0 },
    terms: new Map(),
  }
}

async function live(disk: CrashDisk, random: TestRandom, model: LogModel, hosts: GroupHost[], steps: number) {
  await disk.makeDirectory('/data')
  await disk.syncDirectory('/')
  const snapshots = new Map(hosts.map((host) => [host.group, host.snapshot]))
  const { wal, groups } = await openWal({
    disk,
    directory: testDirectory,
    logger: silentLogger,
    random,
    nodeTag: testTag,
    segmentBytes: 8192 + 4096 * random.below(4),
    snapshots,
  })
  model.survive(groups, snapshots)
  for (const host of hosts) resume(host, groups.get(host.group)?.entries ?? [])
  const waiting: Promise<void>[] = []
  for (let step = 0; step < steps && disk.alive && wal.state !== 'failed'; step++) {
    if (random.below(20) === 0) disk.faults.full = true
    else if (random.below(4) === 0) disk.faults.full = false
    if (random.below(60) === 0) disk.faults.failSync = () => true
    waiting.push(act(wal, random, model, hosts))
    if (random.below(3) > 0) await Promise.race([Promise.all(waiting), pause(20)])
    if (random.below(3) === 0) wal.retry()
  }
  disk.faults.full = false
  let allSettled = false
  const settled = Promise.all(waiting).then(() => {
    allSettled = true
  })
  while (!allSettled && disk.alive) {
    // As the host's timer does.
    wal.retry()
    await Promise.race([settled, pause(50)])
  }
  if (random.below(2) === 0) await wal.close()
}

async function pause(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await null
}

function resume(host: GroupHost, entries: readonly Entry[]): void {
  host.terms.clear()
  for (const entry of entries) host.terms.set(entry.index, entry.term)
  host.nextIndex = (entries.at(-1)?.index ?? host.snapshot.index) + 1
}

/** One random thing a host does. Never rejects. */
async function act(wal: Wal, random: TestRandom, model: LogModel, hosts: readonly GroupHost[]): Promise<void> {
  const host = hosts[random.below(hosts.length)]!
  const choice = random.below(12)
  if (choice === 0 && host.nextIndex > host.snapshot.index + 1) {
    // A snapshot of its own, then the log before it may go.
    const index = host.snapshot.index + 1 + random.below(host.nextIndex - host.snapshot.index - 1)
    const term = host.terms.get(index)
    if (term === undefined) return
    // What the snapshot covers is committed: the host waits until it is durable, and nothing may have rewritten it.
    const flush = { group: host.group, mode: host.mode, entries: [], hardState: undefined }
    const durable = await wal.append([flush]).then(
      () => true,
      () => false,
    )
    if (!durable || host.terms.get(index) !== term || index <= host.snapshot.index) return
    host.snapshot = { index, term }
    await wal.release(host.group, index).catch(ignore)
    return
  }
  if (choice === 1 && host.mode === 'log') {
    // A leader's snapshot replaces the log, which may be longer but of a dead branch.
    host.term++
    const index = host.snapshot.index + 1 + random.below(host.nextIndex - host.snapshot.index + 5)
    host.snapshot = { index, term: host.term }
    host.terms.clear()
    host.nextIndex = index + 1
    await submit(wal, model, [{ group: host.group, restartAfter: index, entries: [], hardState: undefined }])
    return
  }
  const others = hosts.filter((other) => other === host || random.below(4) === 0)
  await submit(
    wal,
    model,
    others.map((each) => makeWrite(each, random)),
  )
}

async function submit(wal: Wal, model: LogModel, writes: readonly GroupWrite[]): Promise<void> {
  await wal.append(writes).then(model.append(writes), ignore)
}

function ignore(): void {}

function makeWrite(host: GroupHost, random: TestRandom): GroupWrite {
  let hardState: HardState | undefined
  let from = host.nextIndex
  if (random.below(6) === 0) {
    host.term++
    hardState = { term: host.term, votedFor: random.below(2) === 0 ? 0n : 2n ** 63n + BigInt(random.below(9)) }
    // A new term may rewrite what is not committed.
    from = host.snapshot.index + 1 + random.below(host.nextIndex - host.snapshot.index)
  }
  if (host.mode === 'slots') from = host.snapshot.index + 1 + random.below(host.nextIndex - host.snapshot.index + 3)
  const entries = Array.from({ length: random.below(6) }, (_, i): Entry => {
    const payload = random.bytes(random.below(8) === 0 ? random.below(3000) : random.below(60))
    return { index: from + i, term: host.term, kind: kinds[random.below(3)]!, payload }
  })
  if (entries.length > 0) {
    if (host.mode === 'log') for (const index of [...host.terms.keys()]) if (index >= from) host.terms.delete(index)
    for (const entry of entries) host.terms.set(entry.index, entry.term)
    const end = entries.at(-1)!.index + 1
    host.nextIndex = host.mode === 'log' ? end : Math.max(host.nextIndex, end)
  }
  return { group: host.group, mode: host.mode, entries, hardState }
}
