/**
 * Which regular expressions can take for ever on paths that clients choose. V8 steps back and forth through all ways to
 * match; after 50,000 steps it goes on with an engine that takes linear time (`boundRegExpBacktracking`), where that engine
 * knows the expression: it has no backreferences and no lookaround, and unrolls counts up to 16 in all
 * (`regexp/experimental/experimental.cc`, `kMaxReplicationFactor`).
 */

/** As V8's. */
const repetitionsMax = 16

/** What keeps V8 from matching `source` in linear time; undefined: nothing does, or it has nothing to step back over. */
export function nonLinearPart(source: string): string | undefined {
  // What stands for itself: classes and escaped characters, but for references to groups.
  const bare = source.replace(/\\(?![1-9]|k<)./gs, '_').replace(/\[(?:\\.|[^\]\\])*\]/gs, '_')
  const reference = /\\(?:[1-9][0-9]*|k<[^>]*>)/.exec(bare)
  if (reference !== null) return `the reference ${reference[0]} to a group`
  const around = /\(\?<?[=!]/.exec(bare)
  if (around !== null) return `the ${around[0].includes('<') ? 'look back' : 'look ahead'} ${around[0]}…)`
  const isRepeating = /\)(?:[*+]|\{[0-9]+,?[0-9]*\})/.test(bare)
  return isRepeating && longestRepetition(bare) > repetitionsMax
    ? `a group that repeats, and counts past 16`
    : undefined
}

/** Counts multiply where they are nested; all of them together are no less. */
function longestRepetition(bare: string): number {
  let product = 1
  for (const [, least, most] of bare.matchAll(/\{([0-9]+)(?:,([0-9]*))?\}/g))
    product *= Math.max(1, Number(least), Number(most ?? 0))
  return product
}
