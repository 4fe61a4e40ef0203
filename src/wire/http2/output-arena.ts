/**
 * Buffers that connections write their frames into, shared by all connections of a server.
 *
 * A connection borrows a buffer for a turn, hands what it wrote to the transport as a view, and gives the rest back.
 * So idle connections hold none, and nothing is copied between framing and transport.
 *
 * I1. Bytes before `offset` belong to the transport and are never written again.
 */
export interface OutputBuffer {
  readonly bytes: Buffer
  offset: number
}

const bufferBytes = 64 << 10
/** With less room than this left a buffer is not worth lending again. */
const remainderBytesMin = 2 << 10
const spareMax = 64

export class OutputArena {
  private readonly spare: OutputBuffer[] = []

  /** A buffer with room for `bytesMin`, in practice mostly far more. */
  borrow(bytesMin: number): OutputBuffer {
    const top = this.spare[this.spare.length - 1]
    if (top !== undefined && top.bytes.length - top.offset >= bytesMin) {
      this.spare.length--
      return top
    }
    return { bytes: Buffer.allocUnsafeSlow(Math.max(bufferBytes, bytesMin)), offset: 0 }
  }

  giveBack(buffer: OutputBuffer): void {
    const hasRoom = buffer.bytes.length - buffer.offset >= remainderBytesMin
    if (hasRoom && buffer.bytes.length === bufferBytes && this.spare.length < spareMax) this.spare.push(buffer)
  }
}
