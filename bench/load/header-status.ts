// Finds grpc-status in response headers, and nothing else. HPACK (RFC 7541) read only as far as that needs: strings
// stay in their encoded form, so there is no Huffman decoder here, and the benchmark's client costs next to nothing.
//
// Differs from RFC 7541 §4: entries are never evicted by size. An index counts from the newest entry, so what an
// encoder may still refer to is found all the same.

const staticEntries = 61

interface Entry {
  readonly isStatus: boolean
  readonly value: string
}

// "grpc-status" as it is, and in Huffman's code.
const statusNames = new Set(['grpc-status', '\x9a\xca\xc8\xb2\x12\x34\xda\x8f'])
const other: Entry = { isStatus: false, value: '' }

/** The header table of one connection, as far as grpc-status is concerned. */
export class HeaderStatus {
  #entries: Entry[] = []
  #at = 0

  /**
   * Reads one whole header block. Returns the text of grpc-status (`'0'` when all is well), or undefined when the
   * block has none.
   */
  read(block: Uint8Array, start: number, end: number): string | undefined {
    let status: string | undefined
    this.#at = start
    while (this.#at < end) {
      const first = block[this.#at]!
      if (first >= 0x80) {
        const entry = this.#lookup(this.#integer(block, 7))
        if (entry.isStatus) status = entry.value
      } else if (first >= 0x40) {
        const entry = this.#literal(block, 6)
        this.#entries.push(entry)
        if (this.#entries.length > 512) this.#entries = this.#entries.slice(256)
        if (entry.isStatus) status = entry.value
      } else if (first >= 0x20) {
        this.#integer(block, 5)
      } else {
        const entry = this.#literal(block, 4)
        if (entry.isStatus) status = entry.value
      }
    }
    return status
  }

  #lookup(index: number): Entry {
    if (index <= staticEntries) return other
    return this.#entries[this.#entries.length - (index - staticEntries)] ?? other
  }

  #literal(block: Uint8Array, prefixBits: number): Entry {
    const index = this.#integer(block, prefixBits)
    const isStatus = index === 0 ? statusNames.has(this.#string(block)) : this.#lookup(index).isStatus
    const value = this.#string(block)
    // Huffman's code for "0" alone.
    return isStatus ? { isStatus, value: value === '\x07' ? '0' : value } : other
  }

  #integer(block: Uint8Array, prefixBits: number): number {
    const max = (1 << prefixBits) - 1
    let value = block[this.#at++]! & max
    if (value < max) return value
    for (let shift = 0; ; shift += 7) {
      const byte = block[this.#at++]!
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  #string(block: Uint8Array): string {
    const length = this.#integer(block, 7)
    const text = String.fromCharCode(...block.subarray(this.#at, this.#at + length))
    this.#at += length
    return text
  }
}
