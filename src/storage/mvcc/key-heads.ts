import type { BinaryString } from '../../base/index.ts'

/**
 * What the nodes of the tree use to search among sorted keys without comparing strings: the part that all of a node's
 * keys share is its prefix, and the four bytes after it, as one number, are a key's **head**.
 *
 * - I1  Heads order as their keys do; equal heads decide nothing. Zeros stand after a key's end, and the sign is
 *       flipped so that signed numbers order as unsigned bytes do.
 *
 * Worked example: after the prefix "job/", the heads of job/17, job/18 and job/2 are 31 37 00 00, 31 38 00 00 and 32
 * 00 00 00 (each with its first bit flipped).
 */

/** Bytes that a prefix is shorter than it could be, so that a key just outside the node does not shorten it at once. */
const prefixSlack = 1

export function headOf(key: BinaryString, at: number): number {
  const left = key.length - at
  const first = left > 0 ? key.charCodeAt(at) << 24 : 0
  const second = left > 1 ? key.charCodeAt(at + 1) << 16 : 0
  const third = left > 2 ? key.charCodeAt(at + 2) << 8 : 0
  const fourth = left > 3 ? key.charCodeAt(at + 3) : 0
  return (first | second | third | fourth) ^ 0x8000_0000
}

/** The length of the longest common prefix. */
export function sharedLength(a: BinaryString, b: BinaryString): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  return at
}

/** A prefix for all keys from `first` to `last`. A flat string: a slice would keep `first` alive. */
export function prefixOf(first: BinaryString, last: BinaryString): BinaryString {
  const length = Math.max(0, sharedLength(first, last) - prefixSlack)
  return Buffer.from(first.slice(0, length), 'latin1').latin1Slice(0, length)
}

/** The first position at which `heads` is at least `head`. */
export function firstNotBelow(heads: readonly number[], head: number): number {
  let low = 0
  let high = heads.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (heads[middle]! < head) low = middle + 1
    else high = middle
  }
  return low
}
