// Power loss, at random moments under load: real members record what they do to their disks, clients note when each
// write was acknowledged, on the same clock; then every member's directory is rebuilt from only what had been synced,
// the rest kept, lost or torn by a draw, and the cluster is restarted. No write acknowledged before may be missing.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Prng } from '../../src/base/index.ts'
import { decodeJournal, type JournalRecord } from '../../src/runtime/power-loss/index.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { checkState, summary } from './checks.ts'
import { figure } from './figures.ts'
import { layOutSeats } from './layout.ts'
import { Load, type LoadOptions, type WriteRecord } from './load.ts'
import { keysAfterPowerLoss, type RecordedMember } from './power-loss-world.ts'
import { until } from './rpc.ts'

const skip = subjectKind === 'synod' ? skipWithoutSubject() : 'etcd does not record its disk'
const seed = process.env['SYNOD_SEED'] ?? String(Date.now())
/** Of 128 KiB each: enough to fill a segment of 64 MiB, and to be worth a snapshot. */
const largeWrites = 700
const momentsFactor = Number(process.env['SYNOD_MOMENTS'] ?? 100) / 100

interface Recording {
  readonly members: readonly RecordedMember[]
  readonly records: readonly WriteRecord[]
  readonly prefix: string
}

describe(`power loss (SYNOD_SEED=${seed})`, { skip }, () => {
  it('under many small writes, with the leader killed amid them', { timeout: 150_000 }, async () => {
    const recording = await record(4000, { clients: 16 }, [], true)
    await expectAll(recording, Math.round(85 * momentsFactor), 'small writes')
  })

  it('under large writes that roll the log and take snapshots', { timeout: 150_000 }, async () => {
    const large = { clients: 16, valueBytes: 128 * 1024, pauseMs: 5 }
    const recording = await record(largeWrites, large, ['--snapshot-count=100'], false)
    const { journal } = recording.members[0]!
    const renamed = (suffix: RegExp) => journal.some(({ event }) => event.op === 'rename' && suffix.test(event.to))
    assert.ok(renamed(/\/snap\//), 'a snapshot was taken')
    assert.ok(renamed(/0002\.wal$/), 'the log got a second segment')
    await expectAll(recording, Math.round(15 * momentsFactor), 'large writes')
  })
})

/** Runs three recording members under load until so many writes are acknowledged, and ends them. */
async function record(writes: number, options: LoadOptions, flags: string[], killLeader: boolean): Promise<Recording> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-power-loss-'))
  try {
    const journalOf = (name: string) => join(folder, `${name}.journal`)
    const seats = await layOutSeats(
      folder,
      ['n1', 'n2', 'n3'].map((name) => ({ name, flags, env: { SYNOD_RECORD_DISK: journalOf(name) } })),
    )
    const members = seats.map(({ member }) => member)
    try {
      for (const member of members) member.start()
      await Promise.all(members.map((member) => member.ready()))
      const load = new Load(
        members.map((member) => member.endpoint),
        options,
      )
      load.start()
      await load.nextAcknowledged()
      await acknowledged(load, writes / 2)
      if (killLeader) {
        await members[0]!.crash()
        await load.nextAcknowledged()
        members[0]!.start()
        await members[0]!.ready()
      }
      await acknowledged(load, writes)
      if (flags.length > 0) await until('snapshots', async () => (members.every(hasSnapshot) ? true : undefined))
      // What follows a snapshot, such as the removal of log, gets the time to happen under load.
      await delay(500)
      await load.stop()
      const recorded = seats.map(({ member, args }) => ({
        name: member.name,
        peerPort: Number(new URL(member.peerUrl).port),
        dataDir: member.dataDir,
        args,
        journal: decodeJournal(readFileSync(journalOf(member.name))).records,
      }))
      return { members: recorded, records: load.records, prefix: load.prefix }
    } finally {
      await Promise.all(members.map((member) => member.crash()))
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function hasSnapshot({ dataDir }: { readonly dataDir: string }): boolean {
  return readdirSync(join(dataDir, 'snap')).some((name) => !name.endsWith('.tmp'))
}

async function acknowledged(load: Load, writes: number): Promise<void> {
  while (load.acknowledged < writes) await delay(50)
}

/** Fails the power at so many random moments between the first and the last acknowledgement. */
async function expectAll(recording: Recording, moments: number, title: string): Promise<void> {
  const { members, records, prefix } = recording
  const random = new Prng(seed)
  const ended = records.filter((record) => record.outcome === 'acknowledged').map((record) => record.endedMs)
  const [fromMs, toMs] = [Math.min(...ended), Math.max(...ended)]
  const startMs = performance.now()
  let checked = 0
  for (let at = 0; at < moments; at++) {
    const atMs = fromMs + random.float() * (toMs - fromMs)
    const found = await keysAfterPowerLoss(members, atMs, `${seed}/${title}/${at}`, prefix)
    const known = records.map((record) => toldBy(record, atMs))
    checked += known.reduce((count, record) => count + (record.outcome === 'acknowledged' ? 1 : 0), 0)
    checkState(known, found, `power lost at ${atMs}, seed ${seed}, moment ${at}`)
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  figure(
    `${title}: ${summary(records)}; ${counts(members[0]!.journal)}; ${moments} power losses in ${seconds} s, ` +
      `${checked} acknowledgements checked, none missing`,
  )
}

/** What the client had been told by then. */
function toldBy(record: WriteRecord, atMs: number): WriteRecord {
  return record.endedMs <= atMs && record.outcome === 'acknowledged' ? record : { ...record, outcome: 'unknown' }
}

function counts(journal: readonly JournalRecord[]): string {
  const count = (op: JournalRecord['event']['op']) => journal.filter(({ event }) => event.op === op).length
  return `a member recorded ${count('write')} writes, ${count('sync')} syncs, ${count('rename')} renames, ${count('sync-directory')} directory syncs`
}
