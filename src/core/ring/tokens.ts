/** Tokens with their owners, and how so many of them are sorted that it is done in steps. */

/** `owners[i]` is the owner of `values[i]`. */
export interface Tokens {
  readonly values: Uint32Array
  readonly owners: Uint32Array
}

/** So many tokens are gone through in one step: about a millisecond. */
export const tokensPerStep = 1 << 16
/** A bucket of at most so many tokens is sorted by insertion. */
const insertionMax = 48

export function tokensOf(size: number): Tokens {
  return { values: new Uint32Array(size), owners: new Uint32Array(size) }
}

/**
 * The same tokens by value, and equal ones in the order in which they were. Linear for values that spread as hashes do: a
 * counting sort by their upper bits, into buckets of a dozen or so, and those by insertion. A crowded bucket (only somebody who
 * chose the names for it makes one) costs n log n. Pauses at each `yield`.
 */
export function* sortingTokens(tokens: Tokens): Generator<void, Tokens> {
  const { values, owners } = tokens
  const size = values.length
  const bits = Math.min(16, Math.max(1, Math.floor(Math.log2(size + 1)) - 4))
  const starts = new Uint32Array(2 ** bits + 1)
  const shift = 32 - bits
  for (let from = 0; from < size; from += tokensPerStep) {
    countBuckets(values, from, Math.min(size, from + tokensPerStep), starts, shift)
    yield
  }
  for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!
  const next = starts.slice()
  const sorted = tokensOf(size)
  for (let from = 0; from < size; from += tokensPerStep) {
    const to = Math.min(size, from + tokensPerStep)
    for (let i = from; i < to; i++) {
      const at = next[values[i]! >>> shift]!++
      sorted.values[at] = values[i]!
      sorted.owners[at] = owners[i]!
    }
    yield
  }
  let sortedSinceStep = 0
  for (let bucket = 0; bucket + 1 < starts.length; bucket++) {
    const [from, to] = [starts[bucket]!, starts[bucket + 1]!]
    if (to - from <= insertionMax) sortByInsertion(sorted, from, to)
    else sortCrowded(sorted, from, to)
    sortedSinceStep += to - from
    if (sortedSinceStep < tokensPerStep) continue
    sortedSinceStep = 0
    yield
  }
  return sorted
}

/** Leaves in `starts[b + 1]` how many belong into bucket `b`. */
function countBuckets(values: Uint32Array, from: number, to: number, starts: Uint32Array, shift: number): void {
  for (let i = from; i < to; i++) starts[(values[i]! >>> shift) + 1]!++
}

function sortByInsertion({ values, owners }: Tokens, from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const value = values[i]!
    if (values[i - 1]! <= value) continue
    const owner = owners[i]!
    let at = i
    for (; at > from && values[at - 1]! > value; at--) {
      values[at] = values[at - 1]!
      owners[at] = owners[at - 1]!
    }
    values[at] = value
    owners[at] = owner
  }
}

function sortCrowded({ values, owners }: Tokens, from: number, to: number): void {
  const order = Array.from({ length: to - from }, (_, i) => from + i).sort((a, b) => values[a]! - values[b]!)
  const [valuesBefore, ownersBefore] = [values.slice(from, to), owners.slice(from, to)]
  order.forEach((at, i) => {
    values[from + i] = valuesBefore[at - from]!
    owners[from + i] = ownersBefore[at - from]!
  })
}

/** All steps at once. */
export function runSteps<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}
