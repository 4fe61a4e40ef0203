/**
 * Gathers a header block over HEADERS and CONTINUATION frames (RFC 9113 §4.3, §6.10).
 *
 * I1. While `isOpen`, the only frame the peer may send is CONTINUATION on `streamId`.
 * I2. At most `bytesMax` bytes in at most `framesMax` further frames are ever held (CONTINUATION flood).
 */
export class HeaderBlock {
  isOpen = false
  streamId = 0
  endStream = false
  private pieces: Uint8Array[] = []
  /** Held now. */
  bytes = 0
  private readonly bytesMax: number
  private readonly framesMax: number

  constructor(bytesMax: number, framesMax: number) {
    this.bytesMax = bytesMax
    this.framesMax = framesMax
  }

  open(streamId: number, endStream: boolean, fragment: Uint8Array): void {
    this.isOpen = true
    this.streamId = streamId
    this.endStream = endStream
    this.pieces = [fragment]
    this.bytes = fragment.length
  }

  /** False when the block passes its bounds. */
  append(fragment: Uint8Array): boolean {
    this.pieces.push(fragment)
    this.bytes += fragment.length
    return this.bytes <= this.bytesMax && this.pieces.length <= this.framesMax + 1
  }

  /** The whole block. */
  close(): Buffer {
    const block = Buffer.concat(this.pieces)
    this.isOpen = false
    this.pieces = []
    this.bytes = 0
    return block
  }
}
