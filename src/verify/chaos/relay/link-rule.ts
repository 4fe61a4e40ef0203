/** What a relay does with the bytes that one node sends to another. */

/** The bytes from one node to another, by the nodes' names. */
export interface Direction {
  readonly from: string
  readonly to: string
}

/** How one direction behaves at the moment. */
export interface LinkRule {
  /** Nothing passes; connections stay open and hold what was sent, as on a network that drops packets. */
  readonly cut: boolean
  /** Each byte arrives so much later, in milliseconds. */
  readonly delayMs: number
  /** Up to so much more, drawn anew for each chunk; order is kept. */
  readonly jitterMs: number
  /** Infinity: as fast as it comes. */
  readonly bytesPerSecond: number
}

export const openLink: LinkRule = { cut: false, delayMs: 0, jitterMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY }

/** Several faults may touch one direction at a time: the worst of each holds. */
export function combineRules(rules: Iterable<LinkRule>): LinkRule {
  let combined = openLink
  for (const rule of rules)
    combined = {
      cut: combined.cut || rule.cut,
      delayMs: combined.delayMs + rule.delayMs,
      jitterMs: combined.jitterMs + rule.jitterMs,
      bytesPerSecond: Math.min(combined.bytesPerSecond, rule.bytesPerSecond),
    }
  return combined
}
