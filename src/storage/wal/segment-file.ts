import { type Disk, DiskError, type DiskFile, type Random } from '../../runtime/index.ts'
import { segmentHeaderBytes, segmentName, zeroChunkBytes } from './layout.ts'
import { decodeSegmentHeader, encodeSegmentHeader, frameCrcSeed, type SegmentHeader } from './segment-header.ts'
import type { NodeTag } from './types.ts'

/** A segment file that is open for writing. */
export interface Segment {
  readonly number: number
  readonly file: DiskFile
  readonly header: SegmentHeader
  readonly crcSeed: number
  /** The highest index each group has in this segment. */
  readonly maxima: Map<number, number>
}

/** The name under which a segment is filled with zeros before it gets its own. */
export const preparationName = 'prepare.tmp'

export interface PrepareOptions {
  readonly disk: Disk
  readonly directory: string
  readonly number: number
  readonly sizeBytes: number
  readonly tag: NodeTag
  readonly random: Random
  /** Asked between chunks; true gives up and yields undefined. */
  readonly stopped: () => boolean
  /** Resolves when another chunk may be written, after so many bytes. Lets the log's own writes go first. */
  readonly paced?: (doneBytes: number) => Promise<void>
}

const zeroChunk = new Uint8Array(zeroChunkBytes)

/**
 * Makes segment `number`: a header and zeros, written (a file only extended would be a hole, and filling it would cost a
 * journal commit a frame) and synced chunk by chunk under another name, then renamed. So a segment that bears its name
 * is whole, and one of the wrong size or with a bad header was damaged later. Rejects with a {@link DiskError}, of code
 * `NO_SPACE` when the disk has no room for it, and leaves nothing behind then.
 */
export async function prepareSegment(options: PrepareOptions): Promise<Segment | undefined> {
  const { disk, directory, number, sizeBytes, tag } = options
  const temporary = `${directory}/${preparationName}`
  if ((await disk.availableBytes(directory)) < sizeBytes) {
    throw new DiskError('NO_SPACE', temporary, `There is no room for another log segment of ${sizeBytes} bytes`)
  }
  const header: SegmentHeader = { number, tag, salt: options.random.bytes(8), sizeBytes }
  await disk.remove(temporary)
  try {
    if (!(await writeZeros(options, temporary, header))) return undefined
  } catch (error) {
    await disk.remove(temporary).catch(() => undefined)
    throw error
  }
  const path = `${directory}/${segmentName(number)}`
  await disk.rename(temporary, path)
  await disk.syncDirectory(directory)
  return { number, file: await disk.open(path, 'write'), header, crcSeed: frameCrcSeed(header), maxima: new Map() }
}

async function writeZeros(options: PrepareOptions, path: string, header: SegmentHeader): Promise<boolean> {
  const file = await options.disk.open(path, 'create-new')
  try {
    await file.write(0, [encodeSegmentHeader(header)])
    for (let at = segmentHeaderBytes; at < header.sizeBytes; at += zeroChunkBytes) {
      await options.paced?.(at)
      if (options.stopped()) return false
      await file.writeDurably(at, [zeroChunk.subarray(0, Math.min(zeroChunkBytes, header.sizeBytes - at))])
    }
    return true
  } finally {
    await file.close()
  }
}

/** Opens segment `number` and checks its header. Rejects with a `WalError` when it is not what it should be. */
export async function openSegment(disk: Disk, directory: string, number: number, tag: NodeTag): Promise<Segment> {
  const path = `${directory}/${segmentName(number)}`
  const file = await disk.open(path, 'write')
  try {
    const bytes = await file.read(0, segmentHeaderBytes)
    const header = decodeSegmentHeader(bytes, path, number, await file.sizeBytes(), tag)
    return { number, file, header, crcSeed: frameCrcSeed(header), maxima: new Map() }
  } catch (error) {
    await file.close()
    throw error
  }
}
