/**
 * Reads a chunked body (RFC 9112 §7.1), without extensions and trailers.
 *
 *     *( 1*HEXDIG CRLF data CRLF )  "0" CRLF CRLF
 */
export class ChunkedBody {
  private readonly bytesMax: number
  private readonly pieces: Buffer[] = []
  private bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  /**
   * Reads whole chunks from the front of `input`. Returns how much of it was used, with `done` after the last chunk;
   * or the status with which to refuse.
   */
  read(input: Buffer): { readonly used: number; readonly done: boolean } | number {
    let used = 0
    for (;;) {
      const lineEnd = input.indexOf('\r\n', used, 'latin1')
      if (lineEnd === -1) return input.length - used > 16 ? 400 : { used, done: false }
      const sizeText = input.latin1Slice(used, lineEnd)
      if (!/^[0-9a-fA-F]{1,8}$/.test(sizeText)) return 400
      const size = Number.parseInt(sizeText, 16)
      if (this.bytes + size > this.bytesMax) return 413
      const dataEnd = lineEnd + 2 + size
      if (input.length < dataEnd + 2) return { used, done: false }
      if (input[dataEnd] !== 13 || input[dataEnd + 1] !== 10) return 400
      used = dataEnd + 2
      if (size === 0) return { used, done: true }
      this.pieces.push(input.subarray(lineEnd + 2, dataEnd))
      this.bytes += size
    }
  }

  whole(): Uint8Array {
    return Buffer.concat(this.pieces)
  }
}
