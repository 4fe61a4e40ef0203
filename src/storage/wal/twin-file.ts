import { asBuffer, crc32c } from '../../base/index.ts'
import type { Disk, DiskFile } from '../../runtime/index.ts'
import { corrupt, unsupportedVersion } from './errors.ts'
import { getUint53, setUint53, viewOf } from './layout.ts'

/**
 * A small value kept in two checksummed files, `NAME.a` and `NAME.b`, rewritten in place.
 *
 * ```
 *   0  8 bytes  magic, the owner's
 *   8  u32      format version, the owner's
 *  12  u32      CRC-32C of bytes 0..12, then 16..32 + length
 *  16  u64      generation: rises with every write
 *  24  u32      length of the body
 *  28  u32      0
 *  32  body     the owner's
 *      zeros    to a multiple of 4096
 * ```
 *
 * Owned by whoever opened it; the directory has one live owner.
 *
 * Invariants:
 * - I1  Copy `a` is written and synced, then copy `b`. `write` resolves after both. So at every moment one copy is whole,
 *       and after `write` resolved both hold the new value: either may rot.
 * - I2  The newest intact copy wins. It can be newer than what `write` acknowledged, never older.
 * - I3  `openTwinFile` makes both copies equal, by writing (not only syncing) them, before it returns: a copy that was
 *       read may have been in the page cache only.
 * - I4  A copy gets its name after its first content was synced. So a copy that exists and is not intact was damaged.
 *
 * Worked example: term 7 is in both (`a` generation 12, `b` generation 12). Term 8: `a` becomes generation 13, power
 * fails while `b` is half written. At start `a` is intact, `b` is not: term 8 is taken and `b` rewritten.
 */
export interface TwinFile {
  /** The value found, or undefined when neither copy existed. */
  readonly found: Uint8Array | undefined
  /** How many copies were stale, damaged or missing and have been rewritten. */
  readonly repairedCopies: number
  /**
   * Replaces the value. Calls are carried out one after another. After a `NO_SPACE` the caller writes again (all bytes are
   * written anew); after any other error the file must not be used again.
   */
  write(body: Uint8Array): Promise<void>
  close(): Promise<void>
}

export interface TwinFileOptions {
  readonly disk: Disk
  readonly directory: string
  readonly name: string
  /** Eight bytes of ASCII. */
  readonly magic: string
  readonly formatVersion: number
}

const headerBytes = 32
const pageBytes = 4096
const copyNames = ['a', 'b'] as const

interface Copy {
  readonly version: number
  readonly generation: number
  readonly body: Uint8Array
}

/** Reads both copies and repairs them. Rejects with `CORRUPT` when neither is intact though one exists. */
export async function openTwinFile(options: TwinFileOptions): Promise<TwinFile> {
  const { disk, directory, name } = options
  const path = `${directory}/${name}`
  const read: (Copy | 'damaged' | 'absent')[] = []
  for (const copyName of copyNames) read.push(await readCopy(disk, `${path}.${copyName}`, options.magic))
  let best: Copy | undefined
  for (const copy of read) {
    if (typeof copy !== 'string' && (best === undefined || copy.generation > best.generation)) best = copy
  }
  if (best === undefined && read.includes('damaged')) throw corrupt(`Both copies of ${path} are damaged or missing`)
  if (best !== undefined && best.version > options.formatVersion) {
    throw unsupportedVersion(path, best.version, options.formatVersion)
  }
  const twin = new OpenTwinFile(options, best)
  if (best !== undefined) {
    for (const copy of read) {
      if (typeof copy === 'string' || copy.generation !== best.generation) twin.repairedCopies++
    }
    // The copy that is not the best goes first, so that one stays whole throughout (I1).
    await twin.rewrite(best, read[0] === best ? [1, 0] : [0, 1])
  }
  return twin
}

class OpenTwinFile implements TwinFile {
  readonly found: Uint8Array | undefined
  repairedCopies = 0
  private readonly options: TwinFileOptions
  private generation: number
  private readonly files: (DiskFile | undefined)[] = [undefined, undefined]
  /** Ends when the writes accepted so far have ended, well or not. */
  private lastWrite: Promise<void> = Promise.resolve()

  constructor(options: TwinFileOptions, best: Copy | undefined) {
    this.options = options
    this.found = best?.body
    this.generation = best?.generation ?? 0
  }

  write(body: Uint8Array): Promise<void> {
    const written = this.lastWrite.then(() => {
      this.generation++
      const copy = { version: this.options.formatVersion, generation: this.generation, body }
      return this.rewrite(copy, [0, 1])
    })
    this.lastWrite = written.catch(() => undefined)
    return written
  }

  async rewrite(copy: Copy, order: readonly number[]): Promise<void> {
    const bytes = encodeCopy(this.options.magic, copy)
    for (const which of order) {
      const file = this.files[which]
      if (file !== undefined) await file.writeDurably(0, [bytes])
      else this.files[which] = await this.openCopy(which, bytes)
    }
  }

  async close(): Promise<void> {
    await this.lastWrite
    for (const file of this.files) await file?.close()
  }

  /** Opens a copy and writes `bytes` to it; one that does not exist yet gets its name last (I4). */
  private async openCopy(which: number, bytes: Uint8Array): Promise<DiskFile> {
    const { disk, directory, name } = this.options
    const path = `${directory}/${name}.${copyNames[which]}`
    if ((await disk.stat(path)) === undefined) {
      const file = await disk.open(`${path}.tmp`, 'create')
      try {
        await file.writeDurably(0, [bytes])
      } finally {
        await file.close()
      }
      await disk.rename(`${path}.tmp`, path)
      await disk.syncDirectory(directory)
      return disk.open(path, 'write')
    }
    const file = await disk.open(path, 'write')
    await file.writeDurably(0, [bytes])
    return file
  }
}

function encodeCopy(magic: string, copy: Copy): Uint8Array {
  const end = headerBytes + copy.body.length
  const bytes = Buffer.alloc(Math.ceil(end / pageBytes) * pageBytes)
  const view = viewOf(bytes)
  bytes.latin1Write(magic, 0, 8)
  view.setUint32(8, copy.version, true)
  setUint53(view, 16, copy.generation)
  view.setUint32(24, copy.body.length, true)
  bytes.set(copy.body, headerBytes)
  view.setUint32(12, copyCrc(bytes, end), true)
  return bytes
}

async function readCopy(disk: Disk, path: string, magic: string): Promise<Copy | 'damaged' | 'absent'> {
  if ((await disk.stat(path)) === undefined) return 'absent'
  const file = await disk.open(path, 'read')
  try {
    const bytes = await file.read(0, await file.sizeBytes())
    return decodeCopy(bytes, magic) ?? 'damaged'
  } finally {
    await file.close()
  }
}

function decodeCopy(bytes: Uint8Array, magic: string): Copy | undefined {
  if (bytes.length < headerBytes) return undefined
  const view = viewOf(bytes)
  const end = headerBytes + view.getUint32(24, true)
  if (asBuffer(bytes).latin1Slice(0, 8) !== magic || end > bytes.length) return undefined
  if (view.getUint32(12, true) !== copyCrc(bytes, end)) return undefined
  return { version: view.getUint32(8, true), generation: getUint53(view, 16), body: bytes.slice(headerBytes, end) }
}

function copyCrc(bytes: Uint8Array, end: number): number {
  return crc32c(bytes.subarray(16, end), crc32c(bytes.subarray(0, 12)))
}
