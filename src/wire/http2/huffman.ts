/**
 * The Huffman code of HPACK (RFC 7541 §5.2 and appendix B).
 *
 * The code is canonical: among codes of one length, values rise with the symbol. So the 257 code lengths below say
 * all; codes and decoder are built from them at load. The decoder is an automaton over half-bytes. Its states are the
 * inner nodes of the code tree (256 of them), and since no code is shorter than 5 bits, a half-byte completes at most
 * one symbol.
 */

/** Code length in bits of the symbols 0 to 255 and of EOS (256). */
// biome-ignore format: the table is read as a table
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
]

const endOfString = 256

/** An entry of `transitions`: bits 0-8 next state, 9-16 the symbol, 17 set when there is one, 18 set when invalid. */
const symbolShift = 9
const emits = 1 << 17
const invalid = 1 << 18

const codes = canonicalCodes()
const { transitions, acceptingStates } = buildAutomaton()

function canonicalCodes(): Uint32Array {
  const order = codeLengths.map((_, symbol) => symbol).sort((a, b) => codeLengths[a]! - codeLengths[b]! || a - b)
  const result = new Uint32Array(257)
  let code = 0
  let length = 0
  for (const symbol of order) {
    code <<= codeLengths[symbol]! - length
    length = codeLengths[symbol]!
    result[symbol] = code++
  }
  return result
}

function buildAutomaton(): { transitions: Uint32Array; acceptingStates: Uint8Array } {
  // children[2 * node + bit]: another inner node, or -1 - symbol for a leaf.
  const children = new Int32Array(512)
  let nodes = 1
  for (let symbol = 0; symbol <= endOfString; symbol++) {
    let node = 0
    for (let bit = codeLengths[symbol]! - 1; bit > 0; bit--) {
      const slot = 2 * node + ((codes[symbol]! >>> bit) & 1)
      if (children[slot] === 0) children[slot] = nodes++
      node = children[slot]!
    }
    children[2 * node + (codes[symbol]! & 1)] = -1 - symbol
  }
  const table = new Uint32Array(256 * 16)
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) table[state * 16 + nibble] = walk(children, state, nibble)
  }
  // Padding is up to 7 one-bits (§5.2): a decoder may stop after at most that many ones from the root.
  const accepting = new Uint8Array(256)
  let node = 0
  for (let ones = 0; ones <= 7; ones++) {
    accepting[node] = 1
    node = children[2 * node + 1]!
  }
  return { transitions: table, acceptingStates: accepting }
}

function walk(children: Int32Array, state: number, nibble: number): number {
  let node = state
  let entry = 0
  for (let bit = 3; bit >= 0; bit--) {
    const next = children[2 * node + ((nibble >>> bit) & 1)]!
    if (next >= 0) {
      node = next
      continue
    }
    const symbol = -1 - next
    if (symbol === endOfString) return invalid
    entry = emits | (symbol << symbolShift)
    node = 0
  }
  return entry | node
}

let scratch = Buffer.allocUnsafeSlow(4096)

/** The text (one unit a byte) of the Huffman-coded `bytes[start..end)`, or `undefined` when it is not valid. */
export function huffmanDecode(bytes: Buffer, start: number, end: number): string | undefined {
  const lengthMax = Math.floor(((end - start) * 8) / 5)
  if (scratch.length < lengthMax) scratch = Buffer.allocUnsafeSlow(lengthMax * 2)
  let length = 0
  let state = 0
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    const high = transitions[(state << 4) | (byte >>> 4)]!
    if (high >= emits) {
      if (high >= invalid) return undefined
      scratch[length++] = (high >>> symbolShift) & 0xff
    }
    const low = transitions[((high & 0xff) << 4) | (byte & 15)]!
    if (low >= emits) {
      if (low >= invalid) return undefined
      scratch[length++] = (low >>> symbolShift) & 0xff
    }
    state = low & 0xff
  }
  return acceptingStates[state] === 1 ? scratch.latin1Slice(0, length) : undefined
}

/** Encoded length in bytes of `text` (one unit a byte). */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += codeLengths[text.charCodeAt(i) & 0xff]!
  return (bits + 7) >>> 3
}

/** Encodes `text` (one unit a byte), padded with ones. */
export function huffmanEncode(text: string): Uint8Array {
  const encoded = new Uint8Array(huffmanLength(text))
  let offset = 0
  let held = 0
  let heldBits = 0
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 0xff
    // A code has up to 30 bits and fewer than 8 are held: go bit by byte through at most 37 bits.
    for (let left = codeLengths[symbol]!; left > 0; ) {
      const take = Math.min(left, 8 - heldBits)
      left -= take
      held = (held << take) | ((codes[symbol]! >>> left) & ((1 << take) - 1))
      heldBits += take
      if (heldBits === 8) {
        encoded[offset++] = held
        held = 0
        heldBits = 0
      }
    }
  }
  if (heldBits > 0) encoded[offset] = ((held << (8 - heldBits)) | (0xff >>> heldBits)) & 0xff
  return encoded
}
