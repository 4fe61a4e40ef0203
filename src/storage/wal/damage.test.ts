import { deepEqual, equal, match, ok, rejects } from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../../base/index.ts'
import { silentLogger } from '../../runtime/index.ts'
import { WalError, type WalErrorCode } from './errors.ts'
import { segmentName } from './layout.ts'
import { type OpenedWal, type OpenWalOptions, openWal } from './open-wal.ts'
import { CrashDisk, TestRandom } from './testing/crash-disk.ts'
import { testDirectory, testTag } from './testing/crash-schedule.ts'
import { bytesOf, damageFile, flipByte, putFile, removeFile } from './testing/damage.ts'

/** Frames per segment of 8 KiB when each takes one sector. */
const framesPerSegment = 8
const frameStart = (frame: number): number => 4096 + frame * 512
const segment = (number: number): string => `${testDirectory}/${segmentName(number)}`

function open(disk: CrashDisk, options: Partial<OpenWalOptions> = {}): Promise<OpenedWal> {
  const fixed = { disk, directory: testDirectory, logger: silentLogger, random: disk.random, nodeTag: testTag }
  return openWal({ ...fixed, segmentBytes: 8192, ...options })
}

/** A log of `frames` frames of one sector with one entry each, left as a killed process leaves it (or closed). */
async function build(frames: number, options: { close?: boolean; seed?: string } = {}): Promise<CrashDisk> {
  const disk = new CrashDisk(new TestRandom(options.seed ?? 'damage'))
  await disk.makeDirectory('/data')
  await disk.syncDirectory('/')
  const { wal } = await open(disk)
  for (let index = 1; index <= frames; index++) {
    const hardState = index === 1 ? { term: 5, votedFor: 9n } : undefined
    const payload = new Uint8Array(100).fill(index)
    await wal.append([{ group: 1, entries: [{ index, term: 5, kind: 'command', payload }], hardState }])
  }
  if (options.close === true) await wal.close()
  else while (wal.segmentCount * framesPerSegment < frames + framesPerSegment / 2) await null
  return disk.afterProcessDeath()
}

async function indexesIn(disk: CrashDisk): Promise<number[]> {
  const { groups, wal } = await open(disk)
  await wal.close()
  return (groups.get(1)?.entries ?? []).map((entry) => entry.index)
}

function refused(disk: CrashDisk, code: WalErrorCode, message: RegExp, options?: Partial<OpenWalOptions>) {
  return rejects(open(disk, options), (error: unknown) => {
    ok(error instanceof WalError, String(error))
    equal(error.code, code, error.message)
    match(error.message, message)
    if (code === 'CORRUPT' || code === 'SNAPSHOT_MISSING') match(error.message, /Rebuild it from its peers/)
    return true
  })
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)

describe('bit rot', () => {
  test('of any byte of a frame that a later one vouches for is refused', async () => {
    for (let byte = 0; byte < 40 + 28 + 100; byte += 3) {
      const disk = await build(3)
      flipByte(disk, segment(1), frameStart(1) + byte)
      await refused(disk, 'CORRUPT', /0000000000000001\.wal is damaged at byte 4608: the intact frame at byte 5120/)
    }
  })

  test('of the last frame of a segment is refused when the next segment has a frame', async () => {
    const disk = await build(framesPerSegment + 1)
    flipByte(disk, segment(1), frameStart(framesPerSegment - 1) + 60)
    await refused(disk, 'CORRUPT', /0000000000000002\.wal was written after byte 8192 of segment 1 had been synced/)
  })

  test('of the last frame cuts it as torn', async () => {
    const disk = await build(3)
    flipByte(disk, segment(1), frameStart(2) + 60)
    const { groups, report, wal } = await open(disk)
    deepEqual(
      groups.get(1)?.entries.map((entry) => entry.index),
      [1, 2],
    )
    ok(report.tornBytes > 0)
    ok(
      bytesOf(disk, segment(1))
        .subarray(frameStart(2))
        .every((byte) => byte === 0),
      'zeroed',
    )
    await wal.append([
      { group: 1, entries: [{ index: 3, term: 6, kind: 'noop', payload: new Uint8Array(0) }], hardState: undefined },
    ])
    deepEqual(await indexesIn(disk.afterPowerLoss()), [1, 2, 3])
  })

  test('of the last frame is refused when the log was closed', async () => {
    const disk = await build(3, { close: true })
    flipByte(disk, segment(1), frameStart(2) + 60)
    await refused(disk, 'CORRUPT', /damaged at byte 5120/)
  })

  test('of one copy of the hard state is repaired, of both refused', async () => {
    for (const copy of ['a', 'b']) {
      const disk = await build(2)
      flipByte(disk, `${testDirectory}/hard-state.${copy}`, 70)
      const { groups, report } = await open(disk)
      deepEqual(groups.get(1)?.hardState, { term: 5, votedFor: 9n })
      equal(report.repairedCopies, 1)
      const later = disk.afterPowerLoss()
      equal((await open(later)).report.repairedCopies, 0)
    }
    const disk = await build(2)
    for (const copy of ['a', 'b']) flipByte(disk, `${testDirectory}/hard-state.${copy}`, 70)
    await refused(disk, 'CORRUPT', /Both copies of \/data\/wal\/hard-state are damaged/)
  })

  test('of a segment header is refused', async () => {
    for (const byte of [0, 9, 13, 20, 30, 41, 50, 4000]) {
      const disk = await build(2)
      flipByte(disk, segment(1), byte)
      await refused(disk, 'CORRUPT', /header of|does not begin/)
    }
  })
})

describe('what is missing or foreign', () => {
  test('an emptied, a cut and a removed segment', async () => {
    const frames = framesPerSegment * 3 + 1
    const emptied = await build(frames)
    damageFile(emptied, segment(2), () => Buffer.alloc(0))
    await refused(emptied, 'CORRUPT', /0000000000000002\.wal is empty/)
    const cut = await build(frames)
    damageFile(cut, segment(2), (bytes) => bytes.subarray(0, 6000))
    await refused(cut, 'CORRUPT', /0000000000000002\.wal was cut off: it has 6000 of 8192 bytes/)
    const cutInHeader = await build(frames)
    damageFile(cutInHeader, segment(2), (bytes) => bytes.subarray(0, 100))
    await refused(cutInHeader, 'CORRUPT', /cut off inside its header, at 100 bytes/)
    for (const number of [1, 2, 3, 4]) {
      const missing = await build(frames)
      removeFile(missing, segment(number))
      await refused(missing, 'CORRUPT', new RegExp(`000${number}\\.wal is missing`))
    }
  })

  test('all segments, or the hard state', async () => {
    const noSegments = await build(2)
    removeFile(noSegments, segment(1))
    await refused(noSegments, 'CORRUPT', /0001\.wal is missing/)
    const noState = await build(2)
    for (const copy of ['a', 'b']) removeFile(noState, `${testDirectory}/hard-state.${copy}`)
    await refused(noState, 'CORRUPT', /hard-state is missing, though 0000000000000001\.wal is there/)
  })

  test('a log of another member', async () => {
    const disk = await build(2)
    const nodeTag = { ...testTag, memberId: 5n }
    await refused(disk, 'FOREIGN', /belongs to member 8000000000000001 of cluster/, { nodeTag })
  })

  test('a segment of another member among our own', async () => {
    const disk = await build(framesPerSegment + 1)
    const other = new CrashDisk(new TestRandom('other'))
    await other.makeDirectory('/data')
    await open(other, { nodeTag: { clusterId: 1n, memberId: 5n } })
    putFile(disk, segment(1), bytesOf(other, segment(1)))
    await refused(disk, 'FOREIGN', /0000000000000001\.wal belongs to member 5 of cluster 1/)
  })

  test('a newer format', async () => {
    const disk = await build(2)
    damageFile(disk, segment(1), (bytes) => {
      bytes.writeUInt32LE(2, 8)
      bytes.writeUInt32LE(crc32c(bytes.subarray(16, 4096), crc32c(bytes.subarray(0, 12))), 12)
      return bytes
    })
    await refused(disk, 'UNSUPPORTED_VERSION', /has format version 2; this Synod knows up to 1/)
  })

  test('a segment under the name of another', async () => {
    const disk = await build(framesPerSegment + 1)
    putFile(disk, segment(2), bytesOf(disk, segment(1)))
    await refused(disk, 'CORRUPT', /0002\.wal holds segment 1, not 2/)
  })

  test('the snapshot that the log begins after', async () => {
    const disk = await build(0)
    const { wal } = await open(disk)
    const entry = { index: 11, term: 5, kind: 'command', payload: new Uint8Array(3) } as const
    await wal.append([{ group: 1, restartAfter: 10, entries: [entry], hardState: undefined }])
    const after = disk.afterPowerLoss()
    await refused(after, 'SNAPSHOT_MISSING', /log of group 1 begins at index 11, but no snapshot was found/)
    const snapshots = new Map([[1, { index: 10, term: 4 }]])
    const { groups } = await open(after, { snapshots })
    equal(groups.get(1)?.entries[0]?.index, 11)
  })

  test('the snapshot that removed segments relied on', async () => {
    const disk = await build(framesPerSegment * 2 + 1)
    const { wal } = await open(disk)
    await wal.release(1, framesPerSegment * 2)
    const after = disk.afterPowerLoss()
    await refused(after, 'SNAPSHOT_MISSING', /begins at index 17, but the newest snapshot found ends at 12/, {
      snapshots: new Map([[1, { index: 12, term: 5 }]]),
    })
    const { groups } = await open(after, { snapshots: new Map([[1, { index: 16, term: 5 }]]) })
    deepEqual(
      groups.get(1)?.entries.map((entry) => entry.index),
      [17],
    )
  })
})

test('the snapshot of a group that has nothing left in the log', async () => {
  const disk = await build(1)
  const { wal } = await open(disk)
  const entry = (index: number) => ({ index, term: 5, kind: 'command', payload: new Uint8Array(900) }) as const
  await wal.append([{ group: 2, entries: [entry(1), entry(2)], hardState: undefined }])
  for (let index = 2; index <= 9; index++) {
    await wal.append([{ group: 1, entries: [entry(index)], hardState: undefined }])
  }
  await Promise.all([wal.release(1, 8), wal.release(2, 2)])
  const after = disk.afterPowerLoss()
  const one = [1, { index: 8, term: 5 }] as const
  await refused(after, 'SNAPSHOT_MISSING', /log of group 2 begins at index 3, but no snapshot was found/, {
    snapshots: new Map([one]),
  })
  await open(after, { snapshots: new Map([one, [2, { index: 2, term: 5 }]]) })
})

describe('stale bytes', () => {
  test('a frame of an earlier place or segment does not count', async () => {
    const disk = await build(framesPerSegment + 2)
    const old = bytesOf(disk, segment(1))
    damageFile(disk, segment(2), (bytes) => {
      bytes.set(old.subarray(frameStart(2), frameStart(8)), frameStart(2))
      return bytes
    })
    deepEqual(await indexesIn(disk), upTo(framesPerSegment + 2))
  })

  test('a frame copied within its segment is refused', async () => {
    const disk = await build(3)
    damageFile(disk, segment(1), (bytes) => {
      bytes.copy(bytes, frameStart(3), frameStart(2), frameStart(3))
      return bytes
    })
    await refused(disk, 'CORRUPT', /frame at byte 5632 .* was written after byte 5120 of segment 1/)
  })
})

test('no damage makes opening the log throw anything but a WalError, or find what was not written', async () => {
  const frames = framesPerSegment * 2 + 3
  const pristine = await build(frames)
  const names = await pristine.readDirectory(testDirectory)
  const files = new Map(
    names.map((name) => [`${testDirectory}/${name}`, bytesOf(pristine, `${testDirectory}/${name}`)]),
  )
  const damage = fc.record({
    file: fc.nat(names.length - 1),
    kind: fc.constantFrom('flip', 'zero', 'random', 'cut', 'remove', 'copy'),
    at: fc.nat(),
    to: fc.nat(),
    length: fc.integer({ min: 1, max: 3000 }),
    fill: fc.uint8Array({ minLength: 1, maxLength: 64 }),
  })
  const frameBytes = (bytes: Buffer | undefined, frame: number): Buffer => {
    const start = frameStart(frame % framesPerSegment)
    return bytes?.subarray(start, start + 40 + 28 + 100) ?? Buffer.alloc(0)
  }
  const damagedAtEnd = (disk: CrashDisk): number => {
    let count = 0
    for (let frame = frames - 1; frame >= 0; frame--, count++) {
      const path = segment(Math.floor(frame / framesPerSegment) + 1)
      if (disk.fileSystem.stat(path) === undefined) continue
      if (frameBytes(files.get(path), frame).equals(frameBytes(bytesOf(disk, path), frame))) break
    }
    return count
  }
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
      const disk = new CrashDisk(new TestRandom('fuzz'))
      disk.fileSystem.makeDirectory(testDirectory)
      for (const [path, bytes] of files) putFile(disk, path, Buffer.from(bytes))
      for (const { file, kind, at, to, length, fill } of damages) {
        const path = [...files.keys()][file]!
        const size = (await disk.stat(path))?.sizeBytes ?? 0
        if (kind === 'remove') removeFile(disk, path)
        else if (size > 0) {
          const from = at % size
          damageFile(disk, path, (bytes) => {
            if (kind === 'cut') return bytes.subarray(0, from)
            if (kind === 'flip') bytes[from] = bytes[from]! ^ (1 << (to % 8))
            else if (kind === 'zero') bytes.fill(0, from, Math.min(size, from + length))
            else if (kind === 'random') bytes.set(fill.subarray(0, size - from), from)
            else
              bytes.copy(
                bytes,
                Math.floor((to % size) / 512) * 512,
                Math.floor(from / 512) * 512,
                Math.min(size, from + length),
              )
            return bytes
          })
        }
      }
      try {
        const lost = damagedAtEnd(disk)
        const { wal, groups } = await open(disk)
        const found = (groups.get(1)?.entries ?? []).map((entry) => entry.index)
        // Only damage that reaches the last frame goes without a trace.
        deepEqual(found, upTo(frames - lost))
        await wal.close()
      } catch (error) {
        ok(error instanceof WalError, String(error))
      }
    }),
    { numRuns: Number(process.env.SYNOD_FUZZ_RUNS ?? 400) },
  )
})
