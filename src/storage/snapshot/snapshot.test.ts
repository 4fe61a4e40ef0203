import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { SnapshotMeta } from '../../core/index.ts'
import { type Disk, silentLogger } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { createSimulation } from '../../runtime/simulation/index.ts'
import { CrashDisk, type CrashDiskFaults, TestRandom } from '../wal/testing/crash-disk.ts'
import { bytesOf, damageFile, flipByte, putFile } from '../wal/testing/damage.ts'
import { SnapshotError } from './errors.ts'
import { type OpenSnapshotFilesOptions, openSnapshotFiles, type SnapshotFiles } from './files.ts'
import type { SnapshotReader } from './reader.ts'

const owner = { clusterId: 2n ** 64n - 1n, memberId: 2n ** 63n + 5n, group: 3 }
const configuration = { voters: [1n, 2n ** 64n - 1n], outgoing: [3n], learners: [2n ** 63n] }

function metaAt(index: number): SnapshotMeta {
  return { index, term: 7, configuration }
}

function open(disk: Disk, directory: string, options: Partial<OpenSnapshotFilesOptions> = {}) {
  return openSnapshotFiles({ disk, directory, logger: silentLogger, ...owner, ...options })
}

async function save(files: SnapshotFiles, index: number, chunks: readonly Uint8Array[]): Promise<void> {
  const writer = await files.create(metaAt(index))
  for (const chunk of chunks) await writer.write(chunk)
  await writer.finish()
}

async function readAll(reader: SnapshotReader | undefined): Promise<number[][]> {
  const chunks: number[][] = []
  for (let chunk = await reader?.next(); chunk !== undefined; chunk = await reader?.next()) chunks.push([...chunk])
  await reader?.close()
  return chunks
}

function chunksOf(index: number): Uint8Array[] {
  return [new Uint8Array(700).fill(index), new Uint8Array(0), new Uint8Array(40).fill(index + 1)]
}

const worlds: Record<string, (body: (disk: Disk, directory: string) => Promise<void>) => Promise<void>> = {
  async 'the real disk'(body) {
    const directory = await mkdtemp(`${tmpdir()}/synod-snapshot-`)
    const { disk } = createNodeRuntime({ logLevel: 'error' })
    await body(disk, `${directory}/snap`).finally(() => rm(directory, { recursive: true }))
  },
  async 'the simulated disk'(body) {
    const simulation = createSimulation({ seed: 'snapshot' })
    const { disk } = simulation.createNode('a').runtime
    await simulation.runUntilDone(disk.makeDirectory('/d').then(() => body(disk, '/d/snap')))
  },
  async 'the crash disk'(body) {
    const disk = new CrashDisk(new TestRandom('snapshot'))
    await disk.makeDirectory('/d')
    await body(disk, '/d/snap')
  },
}

for (const [name, inWorld] of Object.entries(worlds)) {
  describe(`snapshots on ${name}`, () => {
    test('the newest comes back chunk for chunk; two stay', () =>
      inWorld(async (disk, directory) => {
        const files = await open(disk, directory)
        equal((await files.openNewest()).reader, undefined)
        for (const index of [10, 20, 2 ** 53 - 1]) await save(files, index, chunksOf(1))
        const again = await open(disk, directory)
        deepEqual(
          again.list().map((each) => each.index),
          [20, 2 ** 53 - 1],
        )
        const { reader } = await again.openNewest()
        deepEqual(reader?.meta, metaAt(2 ** 53 - 1))
        deepEqual(
          await readAll(reader),
          chunksOf(1).map((chunk) => [...chunk]),
        )
      }))

    test('an aborted attempt leaves nothing, and others are unharmed', () =>
      inWorld(async (disk, directory) => {
        const files = await open(disk, directory)
        const writer = await files.create(metaAt(5))
        const twin = await files.create(metaAt(5))
        await writer.write(new Uint8Array(100))
        await writer.abort()
        await writer.abort()
        await rejects(writer.write(new Uint8Array(1)), { code: 'CLOSED' })
        await twin.finish()
        await twin.abort()
        equal((await disk.readDirectory(directory)).length, 1)
        deepEqual(await readAll((await files.openNewest()).reader), [])
      }))

    test('groups share a directory', () =>
      inWorld(async (disk, directory) => {
        const mine = await open(disk, directory)
        const theirs = await open(disk, directory, { group: 30 })
        const unfinished = await theirs.create(metaAt(1))
        await save(mine, 9, [])
        equal((await open(disk, directory)).list().length, 1)
        equal((await open(disk, directory, { group: 4 })).list().length, 0)
        await unfinished.finish()
        equal((await open(disk, directory, { group: 30 })).list().length, 1)
      }))

    test('a reader outlives the pruning of its file', () =>
      inWorld(async (disk, directory) => {
        const files = await open(disk, directory, { keep: 1 })
        await save(files, 1, chunksOf(1))
        const { reader } = await files.openNewest()
        await save(files, 2, chunksOf(2))
        equal((await disk.readDirectory(directory)).length, 1)
        equal((await readAll(reader)).length, 3)
      }))
  })
}

/** Loses power at `boundary` of an attempt at 20 beside a snapshot at 10; what is there then. */
async function attempt(boundary: number, skipSync?: CrashDiskFaults['skipSync']) {
  let disk = new CrashDisk(new TestRandom(`attempt ${boundary}`))
  await disk.makeDirectory('/d')
  await disk.syncDirectory('/')
  disk.faults.skipSync = skipSync
  await save(await open(disk, '/d/snap'), 10, chunksOf(10))
  disk.faults.crashAtBoundary = disk.boundaries + boundary
  let finished = false
  const work = open(disk, '/d/snap', { keep: 1 }).then(async (files) => {
    await save(files, 20, chunksOf(20))
    finished = true
  })
  await Promise.race([work, disk.crashed])
  disk = disk.afterPowerLoss()
  const files = await open(disk, '/d/snap')
  const { reader, damagedPaths } = await files.openNewest()
  deepEqual(damagedPaths, [])
  const index = reader?.meta.index
  ok(index === 20 || (index === 10 && !finished), `found ${index}, finished ${finished}`)
  deepEqual(
    await readAll(reader),
    chunksOf(index!).map((chunk) => [...chunk]),
  )
  ok((await disk.readDirectory('/d/snap')).every((name) => name.endsWith('.snap')))
  return finished
}

describe('a power loss', () => {
  test('at any moment leaves the old snapshot or the new one, whole', async () => {
    let boundary = 0
    while (!(await attempt(boundary))) boundary++
    ok(boundary > 20)
    for (let extra = 0; extra < 100; extra++) await attempt(boundary + extra)
  })

  test('does not take back a snapshot that a start has found', async () => {
    for (let boundary = 0; boundary < 120; boundary++) {
      let disk = new CrashDisk(new TestRandom(`found ${boundary}`))
      await disk.makeDirectory('/d')
      await disk.syncDirectory('/')
      disk.faults.crashAtBoundary = disk.boundaries + boundary
      await Promise.race([open(disk, '/d/snap').then((files) => save(files, 20, chunksOf(20))), disk.crashed])
      disk = disk.afterProcessDeath()
      const found = (await open(disk, '/d/snap')).list().length
      disk = disk.afterPowerLoss()
      equal((await open(disk, '/d/snap')).list().length, found)
    }
  })

  const plants: Record<string, NonNullable<CrashDiskFaults['skipSync']>> = {
    'of the file': (operation) => operation !== 'directory',
    'of the directory': (operation, path) => operation === 'directory' && path === '/d/snap',
    'of the directory above': (operation, path) => operation === 'directory' && path === '/d',
  }
  for (const [name, skipSync] of Object.entries(plants)) {
    test(`is noticed to matter when the sync is missing ${name}`, async () => {
      await rejects(async () => {
        for (let boundary = 0; boundary < 120; boundary++) await attempt(boundary, skipSync)
      })
    })
  }
})

async function onCrashDisk(body: (disk: CrashDisk, files: SnapshotFiles) => Promise<void>): Promise<void> {
  const disk = new CrashDisk(new TestRandom('faults'))
  await disk.makeDirectory('/d')
  await body(disk, await open(disk, '/d/snap'))
}

const path = (index: number): string => `/d/snap/g0000000003-i${String(index).padStart(16, '0')}-t0000000000000007.snap`

describe('a bad disk', () => {
  test('without room fails the attempt, which may be repeated', () =>
    onCrashDisk(async (disk, files) => {
      await save(files, 1, chunksOf(1))
      disk.faults.full = true
      await rejects(files.create(metaAt(2)), { code: 'NO_SPACE', retryable: true })
      disk.faults.full = false
      const writer = await files.create(metaAt(2))
      await writer.write(new Uint8Array(1000))
      disk.faults.full = true
      await rejects(writer.write(new Uint8Array(1000)), { code: 'NO_SPACE', retryable: true })
      await rejects(writer.finish(), { code: 'CLOSED' })
      equal((await disk.readDirectory('/d/snap')).length, 1)
      disk.faults.full = false
      await save(files, 2, chunksOf(2))
      equal((await files.openNewest()).reader?.meta.index, 2)
    }))

  test('whose sync fails fails the attempt', () =>
    onCrashDisk(async (disk, files) => {
      disk.faults.failSync = () => true
      await rejects(save(files, 2, chunksOf(2)), { code: 'IO', retryable: false })
      deepEqual(await disk.readDirectory('/d/snap'), [])
    }))

  test('that damages the newest snapshot leaves the older one', () =>
    onCrashDisk(async (disk, files) => {
      await save(files, 1, chunksOf(1))
      await save(files, 2, chunksOf(2))
      flipByte(disk, path(2), 500)
      const { reader, damagedPaths } = await files.openNewest()
      equal(reader?.meta.index, 1)
      deepEqual(damagedPaths, [path(2)])
    }))

  test('a snapshot of another member or a newer format is refused', () =>
    onCrashDisk(async (disk, files) => {
      await save(files, 1, chunksOf(1))
      const foreign = await open(disk, '/d/snap', { memberId: 1n })
      await rejects(foreign.openNewest(), { code: 'FOREIGN' })
      putFile(disk, path(2), bytesOf(disk, path(1)))
      const { damagedPaths } = await (await open(disk, '/d/snap')).openNewest()
      deepEqual(damagedPaths, [path(2)])
    }))

  test('no damage goes unnoticed', async () => {
    const pristine = new CrashDisk(new TestRandom('fuzz'))
    await pristine.makeDirectory('/d')
    await save(await open(pristine, '/d/snap'), 1, chunksOf(1))
    const bytes = bytesOf(pristine, path(1))
    const notice = async (damage: (copy: Buffer) => Uint8Array): Promise<void> => {
      const disk = new CrashDisk(new TestRandom('fuzz'))
      disk.fileSystem.makeDirectory('/d/snap')
      putFile(disk, path(1), bytes)
      damageFile(disk, path(1), damage)
      if (bytesOf(disk, path(1)).equals(bytes)) return
      const files = await open(disk, '/d/snap')
      const outcome = await files.openNewest().catch((error: unknown) => error)
      if (outcome instanceof Error) {
        ok(outcome instanceof SnapshotError, String(outcome))
        match(outcome.code, /UNSUPPORTED_VERSION|FOREIGN/)
      } else deepEqual(outcome, { reader: undefined, damagedPaths: [path(1)] })
    }
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      await notice((copy) => {
        copy[bit >> 3]! ^= 1 << (bit & 7)
        return copy
      })
    }
    for (let length = 0; length < bytes.length; length += 7) await notice((copy) => copy.subarray(0, length))
    await notice((copy) => Buffer.concat([copy, Buffer.alloc(1)]))
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 900 }), (at, fill) =>
        notice((copy) => {
          copy.set(fill.subarray(0, copy.length - at), at)
          return copy
        }),
      ),
      { numRuns: 200 },
    )
  })
})
