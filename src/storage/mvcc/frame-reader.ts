import { asBuffer, concatBytes, crc32c } from '../../base/index.ts'
import { SnapshotError } from './snapshot-error.ts'
import {
  checksumSeed,
  frameHeaderBytes,
  framePayloadBytesMax,
  imageMagic,
  imagePreambleBytes,
  imageVersion,
} from './snapshot-format.ts'

/**
 * Puts the frames of an image together from chunks cut anywhere, and checks magic, version and checksums.
 *
 * - I1  `pieces` are the bytes received and not yet handed on, `held` their number; memory grows only with what
 *       arrived, never with what a length claims.
 *
 * Worked example: a frame of 100 bytes arrives as 3, 60 and 37 and more: nothing is handed on until the third chunk,
 * then the pieces are joined once.
 */
export class FrameReader {
  private pieces: Uint8Array[] = []
  private held = 0
  /** Bytes needed before the next step can be taken. */
  private needed = imagePreambleBytes
  private preambleSeen = false
  private checksum = checksumSeed
  private readonly onFrame: (kind: number, payload: Buffer) => void

  constructor(onFrame: (kind: number, payload: Buffer) => void) {
    this.onFrame = onFrame
  }

  /** True when no part of a frame is waiting for the rest. */
  get atBoundary(): boolean {
    return this.preambleSeen && this.held === 0
  }

  write(chunk: Uint8Array): void {
    this.pieces.push(chunk)
    this.held += chunk.length
    if (this.held < this.needed) {
      // The caller may use its chunk again.
      this.pieces[this.pieces.length - 1] = new Uint8Array(chunk)
      return
    }
    const bytes = asBuffer(this.pieces.length === 1 ? chunk : concatBytes(this.pieces))
    let offset = 0
    while (bytes.length - offset >= this.needed) offset += this.take(bytes, offset)
    this.held = bytes.length - offset
    this.pieces = this.held === 0 ? [] : [new Uint8Array(bytes.subarray(offset))]
  }

  /** Takes one step at `offset`, where `needed` bytes are there; returns the number of bytes done with. */
  private take(bytes: Buffer, offset: number): number {
    if (!this.preambleSeen) {
      checkPreamble(bytes.subarray(offset, offset + imagePreambleBytes))
      this.preambleSeen = true
      this.needed = frameHeaderBytes
      return imagePreambleBytes
    }
    const length = bytes.readUInt32LE(offset)
    if (length > framePayloadBytesMax) throw new SnapshotError('SNAPSHOT_DAMAGED', 'a frame is impossibly long')
    const total = frameHeaderBytes + length
    if (bytes.length - offset < total) {
      this.needed = total
      return 0
    }
    this.needed = frameHeaderBytes
    const checksum = crc32c(bytes.subarray(offset + 8, offset + total), this.checksum)
    if (checksum !== bytes.readUInt32LE(offset + 4)) {
      throw new SnapshotError('SNAPSHOT_DAMAGED', 'a checksum does not match')
    }
    this.checksum = checksum
    this.onFrame(bytes[offset + 8]!, bytes.subarray(offset + frameHeaderBytes, offset + total))
    return total
  }
}

function checkPreamble(bytes: Buffer): void {
  if (!bytes.subarray(0, imageMagic.length).equals(imageMagic)) {
    throw new SnapshotError('SNAPSHOT_DAMAGED', 'this is no image of a multi-version store')
  }
  const version = bytes.readUInt32LE(imageMagic.length)
  if (version !== imageVersion) {
    throw new SnapshotError(
      'SNAPSHOT_VERSION',
      `the image has format version ${version}, this program reads version ${imageVersion}`,
    )
  }
}
