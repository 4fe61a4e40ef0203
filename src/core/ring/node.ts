/** What is placed on rings and in tables. */

export interface RingNode {
  /** Unique. All that place by the same ids place alike, whatever the order in which the nodes are given. */
  readonly id: string
  /** The share of the keys, relative to the others: above 0. Default 1. */
  readonly weight?: number | undefined
}

/** Whether a node, by its index in the list that was given, may not be chosen. */
export type IsExcluded = (index: number) => boolean

/** What `find` gives when there is no node, or all are excluded. */
export const noNode = -1

/** Indexes of the nodes in the order of their ids, so that nothing depends on the order of the list. Checks what is given. */
export function orderById(nodes: readonly RingNode[]): number[] {
  const order = nodes.map((_, i) => i).sort((a, b) => (nodes[a]!.id < nodes[b]!.id ? -1 : 1))
  for (let i = 0; i < order.length; i++) {
    const { id, weight = 1 } = nodes[order[i]!]!
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
      throw new RangeError(`node ${id} has weight ${weight}: give a finite number above 0`)
    if (i > 0 && nodes[order[i - 1]!]!.id === id) throw new RangeError(`two nodes are called ${id}: ids must be unique`)
  }
  return order
}
