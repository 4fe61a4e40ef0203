import { deepEqual, equal, ok, rejects, throws } from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { describe, test } from 'node:test'
import type { Entry } from '../../core/index.ts'
import { type Disk, type Random, silentLogger } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { createSimulation } from '../../runtime/simulation/index.ts'
import { type OpenWalOptions, openWal } from './open-wal.ts'
import { CrashDisk, TestRandom } from './testing/crash-disk.ts'
import { testTag } from './testing/crash-schedule.ts'
import type { WalState } from './types.ts'

interface World {
  readonly disk: Disk
  readonly random: Random
  /** An existing directory. */
  readonly directory: string
}

const worlds: Record<string, (body: (world: World) => Promise<void>) => Promise<void>> = {
  async 'the real disk'(body) {
    const directory = await mkdtemp(`${tmpdir()}/synod-wal-`)
    const { disk, random } = createNodeRuntime({ logLevel: 'error' })
    await body({ disk, random, directory }).finally(() => rm(directory, { recursive: true }))
  },
  async 'the simulated disk'(body) {
    const simulation = createSimulation({ seed: 'wal' })
    const { disk, random } = simulation.createNode('a').runtime
    await simulation.runUntilDone(disk.makeDirectory('/d').then(() => body({ disk, random, directory: '/d' })))
  },
  async 'the crash disk'(body) {
    const disk = new CrashDisk(new TestRandom('wal'))
    await disk.makeDirectory('/d')
    await body({ disk, random: disk.random, directory: '/d' })
  },
}

function open({ disk, random, directory }: World, options: Partial<OpenWalOptions> = {}) {
  const fixed = { disk, random, directory: `${directory}/wal`, logger: silentLogger, nodeTag: testTag }
  return openWal({ ...fixed, segmentBytes: 64 * 1024, ...options })
}

function entry(index: number, term = 1, size = 10): Entry {
  return { index, term, kind: 'command', payload: new Uint8Array(size).fill(index) }
}

function write(group: number, entries: readonly Entry[]) {
  return { group, entries, hardState: undefined }
}

for (const [name, inWorld] of Object.entries(worlds)) {
  describe(`the log on ${name}`, () => {
    test('finds again what was appended, for every group', () =>
      inWorld(async (world) => {
        const first = await open(world)
        equal(first.report.fresh, true)
        const binary = Uint8Array.from({ length: 256 }, (_, i) => i)
        const mine: Entry[] = [
          { index: 1, term: 2 ** 53 - 1, kind: 'noop', payload: new Uint8Array(0) },
          { index: 2, term: 2 ** 53 - 1, kind: 'configuration', payload: binary },
        ]
        const other: Entry = { index: 2 ** 53 - 1, term: 3, kind: 'command', payload: binary.subarray(7, 9) }
        await first.wal.append([
          { group: 0, entries: mine, hardState: { term: 2 ** 53 - 1, votedFor: 2n ** 64n - 1n } },
          { group: 2 ** 32 - 1, mode: 'slots', entries: [other], hardState: undefined },
        ])
        await first.wal.close()
        const { groups, report, wal } = await open(world)
        equal(report.fresh, false)
        equal(report.records, 3)
        deepEqual(groups.get(0), { hardState: { term: 2 ** 53 - 1, votedFor: 2n ** 64n - 1n }, entries: mine })
        deepEqual(groups.get(2 ** 32 - 1)?.entries.map(plain), [plain(other)])
        await wal.close()
      }))

    test('coalesces what waits into one frame', () =>
      inWorld(async (world) => {
        const { wal } = await open(world)
        await Promise.all(Array.from({ length: 20 }, (_, i) => wal.append([write(1, [entry(i + 1)])])))
        equal(wal.queuedBytes, 0)
        await wal.close()
        const { report, groups, wal: again } = await open(world)
        equal(groups.get(1)?.entries.length, 20)
        equal(report.frames, 3, 'the first append, the nineteen that waited, the seal')
        await again.close()
      }))

    test('a first segment that is smaller than an entry is passed over', () =>
      inWorld(async (world) => {
        const { wal } = await open(world, { firstSegmentBytes: 8 * 1024 })
        const entries = [entry(1), entry(2, 1, 20_000), entry(3), entry(4, 1, 30_000)]
        for (const each of entries) await wal.append([write(1, [each])])
        await wal.close()
        const { wal: again, groups, report } = await open(world)
        deepEqual(groups.get(1)?.entries.map(plain), entries.map(plain))
        ok(report.segments >= 2)
        await again.close()
      }))

    test('a log drops the suffix that an entry replaces, slots do not', () =>
      inWorld(async (world) => {
        const { wal } = await open(world)
        for (const mode of ['log', 'slots'] as const) {
          const group = mode === 'log' ? 1 : 2
          await wal.append([{ group, mode, entries: [entry(1), entry(2), entry(3)], hardState: undefined }])
          await wal.append([{ group, mode, entries: [entry(2, 7)], hardState: undefined }])
        }
        await wal.append([{ group: 2, mode: 'slots', entries: [entry(9, 7)], hardState: undefined }])
        await wal.close()
        const { groups, wal: again } = await open(world)
        const terms = (group: number) =>
          groups
            .get(group)
            ?.entries.map(({ index, term }) => `${index}@${term}`)
            .join(' ')
        equal(terms(1), '1@1 2@7')
        equal(terms(2), '1@1 2@7 3@1 9@7')
        await again.close()
      }))

    test('rolls over segments and removes those that every group released', () =>
      inWorld(async (world) => {
        const { wal } = await open(world)
        for (let index = 1; index <= 60; index++) {
          await wal.append([write(1, [entry(index, 1, 5000)]), write(2, [entry(index)])])
        }
        const before = wal.segmentCount
        ok(before >= 5)
        await wal.release(1, 40)
        equal(wal.segmentCount, before, 'group 2 needs them')
        await wal.release(2, 60)
        ok(wal.segmentCount < before)
        await wal.close()
        const snapshots = new Map([
          [1, { index: 50, term: 1, keepFrom: 46 }],
          [2, { index: 60, term: 1 }],
        ])
        const { groups, wal: again } = await open(world, { snapshots })
        deepEqual(
          groups.get(1)?.entries.map((each) => each.index),
          range(46, 60),
        )
        deepEqual(groups.get(2)?.entries, [])
        await again.append([write(1, [entry(61)]), write(2, [entry(61)])])
        await again.close()
      }))

    test('an append larger than a frame is split, a larger entry than a segment refused', () =>
      inWorld(async (world) => {
        const { wal } = await open(world)
        await wal.append([
          write(
            1,
            range(1, 100).map((index) => entry(index, 1, 3000)),
          ),
        ])
        await rejects(wal.append([write(1, [entry(101, 1, 61_373)])]), { code: 'TOO_LARGE', retryable: false })
        await wal.append([write(1, [entry(101, 1, 61_372)])])
        await wal.close()
        const { groups, wal: again } = await open(world)
        deepEqual(
          groups.get(1)?.entries.map((each) => each.index),
          range(1, 101),
        )
        await again.close()
      }))

    test('refuses after close', () =>
      inWorld(async (world) => {
        const { wal } = await open(world)
        await Promise.all([wal.close(), wal.close()])
        await rejects(wal.append([write(1, [entry(1)])]), { code: 'CLOSED', outcome: 'not-applied' })
        equal(wal.state, 'closed')
      }))
  })
}

async function onCrashDisk(body: (world: World & { readonly disk: CrashDisk }) => Promise<void>): Promise<void> {
  const disk = new CrashDisk(new TestRandom('faults'))
  await disk.makeDirectory('/d')
  await body({ disk, random: disk.random, directory: '/d' })
}

describe('the log on a bad disk', () => {
  test('waits while the disk is full, uses what is prepared, and resumes by itself', () =>
    onCrashDisk(async (world) => {
      const states: WalState[] = []
      const { wal } = await open(world, { onStateChange: (state) => states.push(state) })
      world.disk.faults.full = true
      let durable = 0
      const appends = range(1, 20).map((index) =>
        wal.append([write(1, [entry(index, 1, 20_000)])]).then(() => durable++),
      )
      while (wal.state === 'open') await null
      ok(durable >= 1, 'the segment that was there is used')
      ok(durable < 20)
      wal.retry()
      for (let i = 0; i < 1000; i++) await null
      deepEqual(states, ['full'])
      world.disk.faults.full = false
      wal.retry()
      await Promise.all(appends)
      deepEqual(states, ['full', 'open'])
      await wal.close()
      equal((await open(world)).groups.get(1)?.entries.length, 20)
    }))

  test('is over after a failed sync', () =>
    onCrashDisk(async (world) => {
      const failures: unknown[] = []
      const { wal } = await open(world, { onFailure: (error) => failures.push(error) })
      await wal.append([write(1, [entry(1)])])
      world.disk.faults.failSync = (path) => path.endsWith('.wal')
      const lost = wal.append([write(1, [entry(2)])])
      const queued = wal.append([write(1, [entry(3)])])
      await rejects(lost, { code: 'FAILED', outcome: 'unknown' })
      await rejects(queued, { code: 'FAILED', outcome: 'unknown' })
      world.disk.faults.failSync = undefined
      await rejects(wal.append([write(1, [entry(4)])]), { code: 'FAILED', outcome: 'not-applied' })
      equal(wal.state, 'failed')
      equal(failures.length, 1)
      await wal.close()
    }))

  test('does not believe the page cache after a failed sync', async () => {
    for (let seed = 0; seed < 30; seed++) {
      let disk = new CrashDisk(new TestRandom(`cache ${seed}`))
      const world = () => ({ disk, random: disk.random, directory: '/d' })
      await disk.makeDirectory('/d')
      await disk.syncDirectory('/')
      const { wal } = await open(world())
      disk.faults.failSync = (path) => path.endsWith('.wal')
      await rejects(wal.append([write(1, [entry(1, 1, 3000)])]))
      disk = disk.afterProcessDeath()
      const found = (await open(world())).groups.get(1)?.entries.length ?? 0
      disk = disk.afterPowerLoss()
      equal((await open(world())).groups.get(1)?.entries.length ?? 0, found)
    }
  })

  test('bounds what waits', () =>
    onCrashDisk(async (world) => {
      const { wal } = await open(world, { queuedBytesMax: 50_000 })
      const appends = [wal.append([write(1, [entry(1, 1, 40_000)])])]
      await rejects(wal.append([write(1, [entry(2, 1, 40_000)])]), { code: 'OVERLOADED', retryable: true })
      await Promise.all(appends)
      await wal.append([write(1, [entry(2, 1, 40_000)])])
      await wal.close()
    }))

  test('a gap in a log is a bug of the caller', () =>
    onCrashDisk(async (world) => {
      const { wal } = await open(world)
      await wal.append([write(1, [entry(1)])])
      throws(() => wal.append([write(1, [entry(3)])]), /would leave a gap/)
      await wal.close()
    }))

  test('a node that dies between storing a snapshot and restarting its log drops the dead branch, for good', () =>
    onCrashDisk(async (world) => {
      const { wal } = await open(world)
      await wal.append([
        write(
          1,
          range(1, 9).map((index) => entry(index, 1)),
        ),
      ])
      const snapshots = new Map([[1, { index: 5, term: 2 }]])
      const restarted = await open(world, { snapshots })
      deepEqual(restarted.groups.get(1)?.entries, [])
      await restarted.wal.append([write(1, [entry(6, 2)])])
      const { groups } = await open(world, { snapshots })
      deepEqual(
        groups.get(1)?.entries.map(({ index, term }) => [index, term]),
        [[6, 2]],
      )
    }))
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** Without the class of the payload, which differs between disks. */
function plain({ index, term, kind, payload }: Entry) {
  return { index, term, kind, payload: [...payload] }
}
