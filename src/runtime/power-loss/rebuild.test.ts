import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Prng, utf8Bytes } from '../../base/index.ts'
import type { Disk, Random } from '../index.ts'
import { createNodeRuntime } from '../node/index.ts'
import { createSimulation } from '../simulation/index.ts'
import {
  decodeJournal,
  encodeJournalHeader,
  encodeJournalRecord,
  type JournalRecord,
  momentAt,
  RecordingDisk,
  rebuildAt,
} from './index.ts'

const recordBytes = 700
const records = 60
const recordsPerSnapshot = 20

/** Which of a careful program's steps to leave out. */
interface Omissions {
  readonly recordSync?: boolean
  readonly directorySync?: boolean
  readonly snapshotSync?: boolean
  readonly snapshotDirectorySync?: boolean
}

/** Keeps numbered records in a preallocated log, and now and then their count in a snapshot replaced by a rename. */
async function runProgram(disk: RecordingDisk, directory: string, omit: Omissions): Promise<void> {
  await disk.makeDirectory(`${directory}/wal`)
  const log = await disk.open(`${directory}/wal/log`, 'create-new')
  await log.writeDurably(0, [new Uint8Array(records * recordBytes)])
  if (!omit.directorySync) {
    for (const each of [`${directory}/wal`, directory, directory.slice(0, directory.lastIndexOf('/'))]) {
      await disk.syncDirectory(each)
    }
  }
  for (let i = 0; i < records; i++) {
    if (omit.recordSync) await log.write(i * recordBytes, [recordOf(i)])
    else await log.writeDurably(i * recordBytes, [recordOf(i)])
    disk.mark(`record ${i}`)
    if ((i + 1) % recordsPerSnapshot === 0) await writeSnapshot(disk, directory, i + 1, omit)
  }
  await log.close()
}

async function writeSnapshot(disk: RecordingDisk, directory: string, count: number, omit: Omissions): Promise<void> {
  const file = await disk.open(`${directory}/snapshot.new`, 'create')
  await file.write(0, [utf8Bytes(String(count).padStart(1_000, '0'))])
  if (!omit.snapshotSync) await file.sync()
  await file.close()
  await disk.rename(`${directory}/snapshot.new`, `${directory}/snapshot`)
  if (!omit.snapshotDirectorySync) await disk.syncDirectory(directory)
  disk.mark(`snapshot ${count}`)
}

/** What had been marked by then and is not in `directory`. */
async function findLoss(disk: Disk, directory: string, journal: readonly JournalRecord[]): Promise<string | undefined> {
  const marks = journal.flatMap(({ event }) => (event.op === 'mark' ? [event.label] : []))
  for (const label of marks.filter((mark) => mark.startsWith('record '))) {
    const i = Number(label.slice('record '.length))
    const bytes = await readAt(disk, `${directory}/wal/log`, i * recordBytes, recordBytes)
    if (bytes === undefined || Buffer.compare(bytes, recordOf(i)) !== 0) return label
  }
  const snapshot = marks.findLast((mark) => mark.startsWith('snapshot '))
  if (snapshot === undefined) return undefined
  const bytes = await readAt(disk, `${directory}/snapshot`, 0, 1_000)
  const count = bytes === undefined ? 0 : Number(Buffer.from(bytes).toString())
  return bytes?.length === 1_000 && count >= Number(snapshot.slice('snapshot '.length)) ? undefined : snapshot
}

async function readAt(disk: Disk, path: string, position: number, length: number): Promise<Uint8Array | undefined> {
  if ((await disk.stat(path)) === undefined) return undefined
  const file = await disk.open(path, 'read')
  const bytes = await file.read(position, length)
  await file.close()
  return bytes
}

function recordOf(i: number): Uint8Array {
  return new Uint8Array(recordBytes).fill(i + 1)
}

describe('a recorded disk, rebuilt at a power loss', () => {
  const { disk } = createNodeRuntime({ logLevel: 'error' })
  let root = ''
  let runs = 0
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'synod-rebuild-'))
  })
  after(() => rm(root, { recursive: true }))

  async function record(omit: Omissions): Promise<{ journal: JournalRecord[]; source: string }> {
    const journal: JournalRecord[] = []
    let now = 0
    const source = `${root}/run-${runs++}`
    await runProgram(new RecordingDisk(disk, { sink: (each) => journal.push(each), nowMs: () => now++ }), source, omit)
    return { journal, source }
  }

  /** The losses found at `moments` random moments. */
  async function crashAtRandomMoments(omit: Omissions, moments: number): Promise<string[]> {
    const { journal, source } = await record(omit)
    const random = createSimulation({ seed: 'rebuild' }).random
    const losses: string[] = []
    for (let i = 0; i < moments; i++) {
      const moment = random.below(journal.length + 1)
      const target = `${root}/rebuilt-${runs++}`
      await rebuildAt({ journal, moment, sourceDirectory: source, targetDirectory: target, targetDisk: disk, random })
      const loss = await findLoss(disk, target, journal.slice(0, moment))
      if (loss !== undefined) losses.push(loss)
      await disk.remove(target)
    }
    return losses
  }

  it('keeps all that a careful program was told is durable, at 100 random moments', async () => {
    assert.deepEqual(await crashAtRandomMoments({}, 100), [])
  })

  for (const omission of ['recordSync', 'directorySync', 'snapshotSync', 'snapshotDirectorySync'] as const) {
    it(`finds that a program lacks its ${omission}`, async () => {
      const losses = await crashAtRandomMoments({ [omission]: true }, 100)
      assert.ok(losses.length > 0, 'some of 100 power losses lose something')
    })
  }

  it('rebuilds the whole when all was synced, and nothing of what came later', async () => {
    const { journal, source } = await record({})
    const end = momentAt(journal, Number.POSITIVE_INFINITY)
    assert.equal(end, journal.length)
    assert.equal(momentAt(journal, -1), 0)
    assert.equal(momentAt(journal, 4), 5)
    const random: Random = createSimulation({ seed: 1 }).random
    const targets = { sourceDirectory: source, targetDisk: disk, random }
    await rebuildAt({ ...targets, journal, moment: end, targetDirectory: `${root}/whole` })
    assert.deepEqual(await disk.readDirectory(`${root}/whole`), ['snapshot', 'wal'])
    await rebuildAt({ ...targets, journal, moment: 0, targetDirectory: `${root}/nothing` })
    assert.deepEqual(await disk.readDirectory(`${root}/nothing`), [])
  })

  it('adopts what was there before the recording, and lets a second run sync what the first left', async () => {
    const source = `${root}/adopted`
    await disk.makeDirectory(`${source}/deep`)
    const old = await disk.open(`${source}/deep/old`, 'create')
    await old.write(0, [utf8Bytes('old')])
    await old.close()
    const journal: JournalRecord[] = []
    const options = { sink: (each: JournalRecord) => journal.push(each), nowMs: () => 0 }
    const first = new RecordingDisk(disk, options)
    await first.rename(`${source}/deep`, `${source}/moved`)
    await first.syncDirectory(source)
    const file = await first.open(`${source}/moved/old`, 'write')
    await file.write(3, [utf8Bytes('+new')])
    await file.close()
    const second = new RecordingDisk(disk, options)
    const again = await second.open(`${source}/moved/old`, 'write')
    await again.sync()
    await again.close()
    for (let seed = 0; seed < 10; seed++) {
      const { random } = createSimulation({ seed })
      const targetDirectory = `${root}/adopted-${seed}`
      const moment = journal.length
      await rebuildAt({ journal, moment, sourceDirectory: source, targetDirectory, targetDisk: disk, random })
      const bytes = await readAt(disk, `${targetDirectory}/moved/old`, 0, 100)
      assert.equal(Buffer.from(bytes ?? []).toString(), 'old+new')
    }
  })

  it('is the same through the bytes of a journal file, whose cut tail is ignored', async () => {
    const { journal } = await record({})
    const encoded = Buffer.concat([encodeJournalHeader(), ...journal.map(encodeJournalRecord)])
    const decoded = decodeJournal(encoded)
    assert.equal(decoded.endBytes, encoded.length)
    assert.deepEqual(plain(decoded.records), plain(journal))
    const cut = decodeJournal(encoded.subarray(0, encoded.length - 3))
    assert.equal(cut.records.length, journal.length - 1)
    assert.throws(() => decodeJournal(utf8Bytes('something else')), /SYNODJRN/)
  })
})

describe('torn writes', () => {
  it('leave whole sectors only', async () => {
    const prng = new Prng('torn')
    const fates = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const simulation = createSimulation({ seed })
      const node = simulation.createNode('a')
      const size = 512 * (1 + prng.below(4))
      await simulation.runUntilDone(writeOverOnes(node.runtime.disk, size))
      simulation.crash('a')
      const bytes = await simulation.runUntilDone(readAt(simulation.restart('a').runtime.disk, '/f', 0, 4_096))
      let pattern = ''
      for (let sector = 0; sector < size / 512; sector++) {
        const values = new Set(bytes?.subarray(sector * 512, (sector + 1) * 512))
        assert.equal(values.size, 1, 'a sector is old or new, whole')
        pattern += [...values][0]
      }
      fates.add(pattern)
    }
    for (const fate of ['11', '22', '12', '21']) assert.ok(fates.has(fate), `some seed leaves ${fate}`)
  })
})

async function writeOverOnes(disk: Disk, size: number): Promise<void> {
  const file = await disk.open('/f', 'create')
  await file.writeDurably(0, [new Uint8Array(4_096).fill(1)])
  await disk.syncDirectory('/')
  await file.write(0, [new Uint8Array(size).fill(2)])
}

/** Bytes compare as bytes, whatever class holds them. */
function plain(journal: readonly JournalRecord[]): string[] {
  return journal.map((record) =>
    JSON.stringify(record, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value)),
  )
}
