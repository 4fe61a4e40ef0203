/**
 * Cuts received bytes into frames: a 4-byte length, then so many bytes.
 *
 * I1. `#held` is the beginning of at most one frame; whatever was whole has been handed on.
 */
import { asBuffer, concatBytes } from '../../base/index.ts'
import { JuteError } from './jute.ts'

const lengthBytes = 4

export class FrameReader {
  readonly #frameBytesMax: number
  readonly #onFrame: (bytes: Buffer) => void
  #held: Uint8Array[] = []
  #heldBytes = 0
  /** What `#held` must reach before anything can be done. */
  #needBytes = lengthBytes

  constructor(frameBytesMax: number, onFrame: (bytes: Buffer) => void) {
    this.#frameBytesMax = frameBytesMax
    this.#onFrame = onFrame
  }

  /** Throws {@link JuteError} on a length that no frame has; the connection is of no use afterwards. */
  push(chunk: Uint8Array): void {
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes < this.#needBytes) return
    const bytes = asBuffer(this.#held.length === 1 ? chunk : concatBytes(this.#held))
    let offset = 0
    this.#needBytes = lengthBytes
    while (bytes.length - offset >= lengthBytes) {
      const length = bytes.readInt32BE(offset)
      if (length < 0 || length > this.#frameBytesMax)
        throw new JuteError(`a frame of ${length} bytes; at most ${this.#frameBytesMax} are taken`)
      if (bytes.length - offset < lengthBytes + length) {
        this.#needBytes = lengthBytes + length
        break
      }
      offset += lengthBytes + length
      this.#onFrame(bytes.subarray(offset - length, offset))
    }
    const rest = bytes.subarray(offset)
    this.#held = rest.length === 0 ? [] : [rest]
    this.#heldBytes = rest.length
  }
}
