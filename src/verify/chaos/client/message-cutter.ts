/**
 * Cuts a gRPC response body into its messages.
 *
 *     body    = message*
 *     message = compressed:u8 length:u32be bytes
 */
const headBytes = 5

export class MessageCutter {
  private buffered: Buffer = Buffer.alloc(0)

  push(chunk: Buffer): void {
    this.buffered = this.buffered.length === 0 ? chunk : Buffer.concat([this.buffered, chunk])
  }

  /** The next whole message, or undefined while more bytes are needed. */
  take(): Uint8Array | undefined {
    if (this.buffered.length < headBytes) return undefined
    const end = headBytes + this.buffered.readUInt32BE(1)
    if (this.buffered.length < end) return undefined
    const message = this.buffered.subarray(headBytes, end)
    this.buffered = this.buffered.subarray(end)
    return message
  }
}
