const pageBytes = 16 * 1024
const zeroPage = Buffer.alloc(pageBytes)

/** The contents of a file: a growable array of bytes that stores no page of zeros, as preallocated files are full of. */
export class SparseBytes {
  private sizeBytes = 0
  private readonly pages = new Map<number, Buffer>()

  get length(): number {
    return this.sizeBytes
  }

  /** Copies `bytes` to `position`; the file grows, over zeros, when they end past it. */
  write(position: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = position + done
      const inPage = at % pageBytes
      const count = Math.min(bytes.length - done, pageBytes - inPage)
      this.writePage((at - inPage) / pageBytes, inPage, bytes.subarray(done, done + count))
      done += count
    }
    this.sizeBytes = Math.max(this.sizeBytes, position + bytes.length)
  }

  read(position: number, length: number): Uint8Array {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.sizeBytes - position)))
    for (let done = 0; done < bytes.length; ) {
      const at = position + done
      const inPage = at % pageBytes
      const count = Math.min(bytes.length - done, pageBytes - inPage)
      this.pages.get((at - inPage) / pageBytes)?.copy(bytes, done, inPage, inPage + count)
      done += count
    }
    return bytes
  }

  resize(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) {
      const last = Math.floor(sizeBytes / pageBytes)
      for (const index of this.pages.keys()) {
        if (index > last) this.pages.delete(index)
      }
      this.pages.get(last)?.fill(0, sizeBytes % pageBytes)
    }
    this.sizeBytes = sizeBytes
  }

  copy(): SparseBytes {
    const twin = new SparseBytes()
    twin.sizeBytes = this.sizeBytes
    for (const [index, page] of this.pages) twin.pages.set(index, Buffer.from(page))
    return twin
  }

  /** The stretches that hold a byte other than zero, in order, in steps of a page. */
  *extents(): Generator<{ readonly position: number; readonly bytes: Uint8Array }> {
    for (const index of [...this.pages.keys()].sort((a, b) => a - b)) {
      const position = index * pageBytes
      yield { position, bytes: this.read(position, pageBytes) }
    }
  }

  private writePage(index: number, offset: number, bytes: Uint8Array): void {
    let page = this.pages.get(index)
    if (page === undefined) {
      if (zeroPage.compare(bytes, 0, bytes.length, 0, bytes.length) === 0) return
      page = Buffer.alloc(pageBytes)
      this.pages.set(index, page)
    }
    page.set(bytes, offset)
  }
}
