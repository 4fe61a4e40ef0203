/**
 * The UTF-8 bytes of a key, without an allocation for each.
 *
 * It owns one buffer for the whole process. I1: what `encodeKey` wrote is read before the next call; no caller keeps it,
 * and none hands it out.
 */
const encoder = new TextEncoder()
const sizeKept = 1024
const kept = new Uint8Array(sizeKept)

/** Where the last encoded key stands, from 0. A longer key has a buffer of its own, which goes when the next key comes. */
export let keyBytes = kept

/** Writes the key into `keyBytes` and returns its length in bytes. Halves of surrogate pairs become U+FFFD. */
export function encodeKey(key: string): number {
  const length = key.length
  if (length * 3 > sizeKept) {
    keyBytes = encoder.encode(key) as Uint8Array<ArrayBuffer>
    return keyBytes.length
  }
  keyBytes = kept
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i)
    if (unit > 0x7f) return encoder.encodeInto(key, kept).written
    kept[i] = unit
  }
  return length
}
