/** Nothing written, or nothing but zeros, takes no memory: a log writes zeros ahead of itself. */
const pageBytes = 64 * 1024
const zeroPage = Buffer.alloc(pageBytes)

/**
 * The bytes of one file in memory, in pages.
 *
 * - I1  A page that is absent reads as zeros.
 * - I2  Bytes past `length` within a page are zeros, so that a longer file reads zeros there.
 */
export class FileContents {
  private readonly pages = new Map<number, Buffer>()
  private sizeBytes = 0

  get length(): number {
    return this.sizeBytes
  }

  /** Up to `length` bytes from `position`, copied. */
  read(position: number, length: number): Uint8Array {
    const end = Math.min(position + length, this.sizeBytes)
    if (end <= position) return new Uint8Array(0)
    const bytes = Buffer.alloc(end - position)
    this.eachPage(position, end, (number, from, to, at) => {
      this.pages.get(number)?.copy(bytes, at, from, to)
    })
    return bytes
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length
    this.eachPage(position, end, (number, from, to, at) => {
      const piece = bytes.subarray(at, at + to - from)
      let page = this.pages.get(number)
      if (page === undefined) {
        if (zeroPage.compare(piece, 0, piece.length, 0, piece.length) === 0) return
        page = Buffer.alloc(pageBytes)
        this.pages.set(number, page)
      }
      page.set(piece, from)
    })
    if (bytes.length > 0) this.sizeBytes = Math.max(this.sizeBytes, end)
  }

  truncate(sizeBytes: number): void {
    for (const number of [...this.pages.keys()]) {
      const start = number * pageBytes
      if (start >= sizeBytes) this.pages.delete(number)
      else if (start + pageBytes > sizeBytes) this.pages.get(number)!.fill(0, sizeBytes - start)
    }
    this.sizeBytes = sizeBytes
  }

  /** Calls `visit` with each page that `start` to `end` touches: where in the page, and how far from `start`. */
  private eachPage(
    start: number,
    end: number,
    visit: (number: number, from: number, to: number, at: number) => void,
  ): void {
    for (let position = start; position < end; ) {
      const number = Math.floor(position / pageBytes)
      const from = position - number * pageBytes
      const to = Math.min(pageBytes, from + end - position)
      visit(number, from, to, position - start)
      position += to - from
    }
  }
}
