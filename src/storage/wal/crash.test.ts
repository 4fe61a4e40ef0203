import { equal, ok, rejects } from 'node:assert/strict'
import { describe, test } from 'node:test'
import { silentLogger } from '../../runtime/index.ts'
import { segmentName } from './layout.ts'
import { openWal } from './open-wal.ts'
import { CrashDisk, type CrashDiskFaults, TestRandom } from './testing/crash-disk.ts'
import { runCrashSchedule, testDirectory, testTag } from './testing/crash-schedule.ts'
import { bytesOf, flipByte } from './testing/damage.ts'

const schedules = Number(process.env.SYNOD_WAL_SCHEDULES ?? 300)
const firstSeed = Number(process.env.SYNOD_WAL_SEED ?? 1)

test('after a crash at any moment the log holds all that was acknowledged and nothing but what was appended', async () => {
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    await runCrashSchedule(String(seed)).catch((cause: unknown) => {
      throw new Error(`replay with SYNOD_WAL_SEED=${seed} SYNOD_WAL_SCHEDULES=1`, { cause })
    })
  }
})

describe('the crash test notices a missing sync', () => {
  const cases: Record<string, NonNullable<CrashDiskFaults['skipSync']>> = {
    'of frames': (operation, path) => operation === 'write' && path.endsWith('.wal'),
    'of both hard state copies': (operation, path) => operation === 'write' && /hard-state\.[ab]$/.test(path),
    'of a new hard state copy, before it gets its name': (operation, path) =>
      operation === 'write' && path.endsWith('.tmp') && path.includes('hard-state'),
    'of a segment, before it gets its name': (operation, path) => operation === 'write' && path.endsWith('prepare.tmp'),
    'of the directory': (operation, path) => operation === 'directory' && path === testDirectory,
    'of the directory above': (operation, path) => operation === 'directory' && path === '/data',
  }
  for (const [name, skipSync] of Object.entries(cases)) {
    test(name, async () => {
      await rejects(async () => {
        for (let seed = 1; seed <= 300; seed++) await runCrashSchedule(String(seed), { skipSync })
      })
    })
  }
})

/** Acknowledges a hard state, loses power, damages copy `rotten`; the term found then. */
async function termAfterRot(seed: number, rotten: 'a' | 'b', skipSync: CrashDiskFaults['skipSync']): Promise<number> {
  let disk = new CrashDisk(new TestRandom(String(seed)))
  const open = () =>
    openWal({
      disk,
      directory: testDirectory,
      logger: silentLogger,
      random: disk.random,
      nodeTag: testTag,
      segmentBytes: 8192,
    })
  await disk.makeDirectory('/data')
  await disk.syncDirectory('/')
  const { wal } = await open()
  await wal.append([{ group: 1, entries: [], hardState: { term: 6, votedFor: 3n } }])
  disk.faults.skipSync = skipSync
  await wal.append([{ group: 1, entries: [], hardState: { term: 7, votedFor: 3n } }])
  disk = disk.afterPowerLoss()
  flipByte(disk, `${testDirectory}/hard-state.${rotten}`, 70)
  const { groups, report } = await open()
  equal(report.repairedCopies, 1)
  return groups.get(1)!.hardState.term
}

describe('an acknowledged hard state is in two copies', () => {
  for (const [rotten, left] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    test(`it survives the rot of copy ${rotten}`, async () => {
      for (let seed = 1; seed <= 20; seed++) equal(await termAfterRot(seed, rotten, undefined), 7)
    })

    test(`which takes the sync of copy ${left}`, async () => {
      await rejects(async () => {
        for (let seed = 1; seed <= 20; seed++) {
          equal(await termAfterRot(seed, rotten, (_, path) => path.endsWith(`hard-state.${left}`)), 7)
        }
      })
    })
  }
})

test('a copy of the hard state that was only in the page cache is written again in both', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    let disk = new CrashDisk(new TestRandom(String(seed)))
    const open = () =>
      openWal({
        disk,
        directory: testDirectory,
        logger: silentLogger,
        random: disk.random,
        nodeTag: testTag,
        segmentBytes: 8192,
      })
    await disk.makeDirectory('/data')
    await disk.syncDirectory('/')
    const { wal } = await open()
    disk.faults.failSync = (path) => path.endsWith('hard-state.a')
    await rejects(wal.append([{ group: 1, entries: [], hardState: { term: 7, votedFor: 3n } }]))
    disk = disk.afterProcessDeath()
    const found = (await open()).groups.get(1)?.hardState.term
    equal(found, 7)
    disk = disk.afterPowerLoss()
    flipByte(disk, `${testDirectory}/hard-state.b`, 70)
    equal((await open()).groups.get(1)?.hardState.term, 7)
  }
})

test('a segment is used only after the hard state file names it, so that its loss is noticed', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    let disk = new CrashDisk(new TestRandom(String(seed)))
    const fixed = { directory: testDirectory, logger: silentLogger, random: disk.random, nodeTag: testTag }
    await disk.makeDirectory('/data')
    const { wal } = await openWal({ disk, ...fixed, segmentBytes: 8192 })
    // From here on nothing can be named.
    disk.faults.failSync = (path) => path.includes('hard-state')
    const append = (index: number) => {
      const entry = { index, term: 1, kind: 'command', payload: new Uint8Array(3000) } as const
      return wal.append([{ group: 1, entries: [entry], hardState: undefined }])
    }
    const first = append(1)
    // The first entry makes it prepare the second segment, which is there now but not named yet.
    while (wal.segmentCount < 2) await null
    await Promise.allSettled([first, append(2)])
    equal(wal.state, 'failed')
    disk = disk.afterProcessDeath()
    const second = `${testDirectory}/${segmentName(2)}`
    if ((await disk.stat(second)) === undefined) continue
    ok(
      bytesOf(disk, second)
        .subarray(4096)
        .every((byte) => byte === 0),
      `seed ${seed}`,
    )
  }
})
