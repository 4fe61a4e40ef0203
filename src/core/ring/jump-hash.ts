/**
 * Jump consistent hash: a numbered bucket for a key, evenly, with no memory at all.
 *
 * Source: Lamping and Veach, "A fast, minimal memory, consistent hash algorithm", 2014, figure 1. The same results as its C++ code:
 * its 64-bit generator is worked here in halves of 32 bits, as bigints would allocate.
 */

/**
 * The bucket, from 0 to `buckets - 1`, of a 64-bit key given in halves (only the low 32 bits of each count).
 *
 * Promises: shares differ by chance only; from n to n + 1 buckets a key stays or moves to the new bucket. Only the last bucket can
 * be taken away. Cost: about ln(buckets) steps. Throws a RangeError unless `buckets` is a whole number from 1 to 2^31 - 1.
 */
export function jumpHash(keyHigh: number, keyLow: number, buckets: number): number {
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > 0x7fff_ffff)
    throw new RangeError(`${buckets} buckets: give a whole number from 1 to 2147483647`)
  let high = keyHigh >>> 0
  let low = keyLow >>> 0
  let bucket = -1
  let next = 0
  while (next < buckets) {
    bucket = next
    // key = key * 2862933555777941757 + 1, modulo 2^64.
    const carry = highProduct(low, multiplierLow)
    const sum = (Math.imul(low, multiplierLow) >>> 0) + 1
    high = (Math.imul(high, multiplierLow) + Math.imul(low, multiplierHigh) + carry + (sum > 0xffff_ffff ? 1 : 0)) >>> 0
    low = sum >>> 0
    next = Math.floor((bucket + 1) * (0x8000_0000 / ((high >>> 1) + 1)))
  }
  return bucket
}

/** 2862933555777941757 in halves. */
const multiplierHigh = 0x27bb2ee6
const multiplierLow = 0x87b0b0fd

/** The high 32 bits of the 64-bit product of two unsigned 32-bit numbers. */
function highProduct(a: number, b: number): number {
  const [a0, a1, b0, b1] = [a & 0xffff, a >>> 16, b & 0xffff, b >>> 16]
  const middle = a1 * b0 + ((a0 * b0) >>> 16)
  const other = a0 * b1 + (middle & 0xffff)
  return a1 * b1 + Math.floor(middle / 0x1_0000) + Math.floor(other / 0x1_0000)
}
