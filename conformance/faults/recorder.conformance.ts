// The recording disk is only as good as its record: one member runs under strace, and what the kernel saw it do to its
// data directory is counted against its journal: writes, durable writes and syncs, renames, syncs of directories.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { decodeJournal } from '../../src/runtime/power-loss/index.ts'
import { Member } from '../member.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { figure } from './figures.ts'
import { layOutSeats, nodeCommand } from './layout.ts'
import { Load } from './load.ts'

const strace = spawnSync('strace', ['-V']).status === 0
const skip =
  subjectKind !== 'synod' ? 'made for Synod' : strace ? skipWithoutSubject() : "strace is missing: Debian's strace"
const calls = 'pwrite64,pwritev,pwritev2,fdatasync,fsync,ftruncate,rename,renameat,renameat2,openat'

describe('the recording disk against strace', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-recorder-'))
  let member: Member | undefined
  after(async () => {
    await member?.crash()
    rmSync(folder, { recursive: true, force: true })
  })

  it('records what the kernel sees', { timeout: 60_000 }, async () => {
    const journal = join(folder, 'n1.journal')
    const trace = join(folder, 'trace')
    const [seat] = await layOutSeats(folder, [{ name: 'n1' }])
    const { name, clientUrl, peerUrl, dataDir, logFile } = seat!.member
    const command = [
      'strace',
      '-f',
      '-y',
      '-s',
      '0',
      '-e',
      `trace=${calls}`,
      '-o',
      trace,
      ...nodeCommand(),
      ...seat!.args,
    ]
    const env = { SYNOD_RECORD_DISK: journal }
    member = new Member({ name, clientUrl, peerUrl, dataDir, logFile, cwd: folder, env, command })
    member.start()
    await member.ready(40_000)
    const load = new Load([member.endpoint], { clients: 8 })
    load.start()
    while (load.acknowledged < 300) await load.nextAcknowledged()
    await load.stop()
    await stopTraced(member.pid)
    await member.exited()
    const { records } = decodeJournal(readFileSync(journal))
    const recorded = countRecorded(records.map(({ event }) => event.op))
    const seen = countSeen(readFileSync(trace, 'utf8'), dataDir)
    figure(
      `${load.acknowledged} writes; the journal has ${JSON.stringify(recorded)}, strace saw ${JSON.stringify(seen)}`,
    )
    assert.deepEqual(recorded, seen)
  })
})

interface Counts {
  writes: number
  syncs: number
  renames: number
  directorySyncs: number
}

function countRecorded(ops: readonly string[]): Counts {
  const count = (op: string) => ops.filter((each) => each === op).length
  return {
    writes: count('write'),
    syncs: count('sync'),
    renames: count('rename'),
    directorySyncs: count('sync-directory'),
  }
}

/** A durable write is one call on a descriptor opened with O_DSYNC, or a write and an fdatasync. */
function countSeen(trace: string, dataDir: string): Counts {
  const counts: Counts = { writes: 0, syncs: 0, renames: 0, directorySyncs: 0 }
  const syncing = new Set<string>()
  // Synod's own disk calls run on other threads; on the main one SQLite, which only holds the lock, syncs its own files.
  const mainThread = /^\d+/.exec(trace)?.[0]
  // A call that another thread interrupted stands on two lines: joined, by thread.
  const unfinished = new Map<string, string>()
  for (const line of trace.split('\n')) {
    const [, thread = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
    if (text.endsWith('<unfinished ...>')) {
      unfinished.set(thread, text.slice(0, -'<unfinished ...>'.length))
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)
    const call = resumed === null ? text : `${unfinished.get(thread) ?? ''}${resumed[1]}`
    if (thread === mainThread || call.includes('LOCK') || !/= \d+/.test(call)) continue
    const opened = /^openat\(.*O_DSYNC.*= (\d+)</.exec(call)
    if (opened !== null) syncing.add(opened[1]!)
    else if (call.startsWith('openat(')) syncing.delete(/= (\d+)</.exec(call)?.[1] ?? '')
    if (call.startsWith('rename') && call.includes(dataDir)) counts.renames++
    const [, name, descriptor, path = ''] = /^(\w+)\((\d+)<([^>]*)>/.exec(call) ?? []
    const inside = path.startsWith(`${dataDir}/`) || path === dataDir
    if (name === 'fsync' && (inside || dataDir.startsWith(path))) counts.directorySyncs++
    if (!inside) continue
    if (name === 'fdatasync') counts.syncs++
    if (name?.startsWith('pwrite') === true) {
      counts.writes++
      if (syncing.has(descriptor!)) counts.syncs++
    }
  }
  return counts
}

/** Asks the traced process, a child of strace, to end. */
async function stopTraced(straceId: number): Promise<void> {
  const children = readFileSync(`/proc/${straceId}/task/${straceId}/children`, 'utf8').trim().split(/\s+/)
  for (const child of children) process.kill(Number(child), 'SIGTERM')
}
