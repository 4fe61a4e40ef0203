/**
 * Keeps a list of byte pieces short whatever the size of the pieces: a peer chooses how it cuts its bytes, and a piece of
 * one octet costs an object of a hundred, and may keep the large buffer that it was read into.
 *
 * - G1  `list` in order holds all bytes appended and not taken since. Pieces may be taken off its front at any time.
 * - G2  What stands in a piece never changes: a gathered piece is replaced by one that begins with the same bytes.
 */

/** Up to this length a piece is copied. */
const gatheredBytesMax = 256
const roomBytes = 4_096
/** So many pieces are kept as they are: mostly there are no more. */
const loosePiecesMax = 32

/** Appends to one list of pieces; used from the first piece on. */
export class PieceGatherer {
  private room: Uint8Array | undefined
  private start = 0
  private end = 0
  /** The piece of `room` that was appended last. */
  private last: Uint8Array | undefined

  /** `bytes` must not change afterwards. */
  append(list: Uint8Array[], bytes: Uint8Array): void {
    if (list.length < loosePiecesMax || bytes.length > gatheredBytesMax) {
      list.push(bytes)
      return
    }
    if (this.room === undefined || this.end + bytes.length > this.room.length) {
      this.room = new Uint8Array(roomBytes)
      this.end = 0
      this.last = undefined
    }
    const goesOn = this.last !== undefined && list[list.length - 1] === this.last
    if (!goesOn) this.start = this.end
    this.room.set(bytes, this.end)
    this.end += bytes.length
    const piece = this.room.subarray(this.start, this.end)
    if (goesOn) list[list.length - 1] = piece
    else list.push(piece)
    this.last = piece
  }
}
