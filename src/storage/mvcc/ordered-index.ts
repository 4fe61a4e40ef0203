import type { BinaryString } from '../../base/index.ts'
import { Branch, type Node } from './ordered-branch.ts'
import { type KeySource, Leaf } from './ordered-leaf.ts'

/**
 * Owns the order of keys: a B+tree of key ids, which counts the **live** ones below every branch. A leaf holds only
 * ids (see `ordered-leaf.ts`): a key costs the garbage collector nothing, and a string is made only for a separator.
 * Called by `key-index.ts` only.
 *
 * - I1  All leaves have the same depth.
 * - I2  The number of live ids changes only as the caller reports: `isLive` answers the same in between.
 * - I3  No node but the root is empty, and none holds more than `nodeSizeMax`. Nodes are merged when both fit in
 *       three quarters of one, so a run of insertions and removals does not split and merge at every step.
 *
 * Worked example, with a node size of 4: inserting a b c d e splits at the end of the tree, where new keys of a
 * sequence come, leaving the left leaf full: [a b c d] [e], separator e. Inserting "bb" splits in the middle:
 * [a b] [bb c d] [e], separators bb, e. Removing c and d leaves [bb], merged with [a b] into [a b bb].
 */

export const nodeSizeMax = 64
const nodeSizeMerged = (nodeSizeMax * 3) / 4
const nodeSizeSmall = nodeSizeMax / 4

function size(node: Node): number {
  return node instanceof Leaf ? node.ids.length : node.children.length
}

export class OrderedIndex {
  /** Entries, live or not. */
  size = 0
  private root: Node
  private readonly source: KeySource

  constructor(source: KeySource) {
    this.source = source
    this.root = new Leaf(source, [])
  }

  get liveCount(): number {
    return this.root.live
  }

  /** The id of `key`, or -1. */
  get(key: BinaryString): number {
    let node = this.root
    while (node instanceof Branch) node = node.children[node.childFor(key)]!
    const id = node.ids[node.lowerBound(key)]
    return id !== undefined && this.source.compare(id, key) === 0 ? id : -1
  }

  /** Adds `id`, whose key is `key` and not there yet. */
  insert(key: BinaryString, id: number): void {
    this.size++
    const left = this.root
    const right = this.insertBelow(left, key, id, this.source.isLive(id) ? 1 : 0)
    if (right === undefined) return
    this.root = new Branch([right.separator], [left, right.node])
  }

  /** Removes `key`, which is there. */
  remove(key: BinaryString): void {
    this.size--
    this.removeBelow(this.root, key)
    while (this.root instanceof Branch && this.root.children.length === 1) this.root = this.root.children[0]!
    if (this.root instanceof Branch && this.root.children.length === 0) this.root = new Leaf(this.source, [])
  }

  /** Reports that the entry of `key` became live (1) or stopped being so (-1). */
  adjustLive(key: BinaryString, change: 1 | -1): void {
    let node = this.root
    while (node instanceof Branch) {
      node.live += change
      node = node.children[node.childFor(key)]!
    }
    node.live += change
  }

  /** The number of live entries before `key`. */
  liveBefore(key: BinaryString): number {
    let count = 0
    let node = this.root
    while (node instanceof Branch) {
      const child = node.childFor(key)
      for (let i = 0; i < child; i++) count += node.children[i]!.live
      node = node.children[child]!
    }
    const end = node.lowerBound(key)
    for (let i = 0; i < end; i++) if (this.source.isLive(node.ids[i]!)) count++
    return count
  }

  /**
   * Calls `visit` with the ids of all keys from `start` to before `end` (undefined: to the last key) in key order,
   * until it returns false. The index must not change meanwhile.
   */
  scan(start: BinaryString, end: BinaryString | undefined, visit: (id: number) => boolean): void {
    this.scanBelow(this.root, start, end, visit)
  }

  /** True while the scan goes on. */
  private scanBelow(
    node: Node,
    start: BinaryString,
    end: BinaryString | undefined,
    visit: (id: number) => boolean,
  ): boolean {
    if (node instanceof Branch) {
      const { separators, children } = node
      for (let i = node.childFor(start); i < children.length; i++) {
        if (end !== undefined && i > 0 && separators[i - 1]! >= end) return false
        if (!this.scanBelow(children[i]!, start, end, visit)) return false
      }
      return true
    }
    const { ids } = node
    // One comparison for the leaf instead of one for each key, except in the last leaf.
    const last = ids.length
    const isWhole = end === undefined || (last > 0 && this.source.compare(ids[last - 1]!, end) < 0)
    const stop = isWhole ? last : node.lowerBound(end)
    for (let i = node.lowerBound(start); i < stop; i++) if (!visit(ids[i]!)) return false
    return isWhole
  }

  private insertBelow(node: Node, key: BinaryString, id: number, live: number): Split | undefined {
    node.live += live
    if (node instanceof Leaf) {
      const at = node.lowerBound(key)
      node.insert(at, key, id)
      if (node.ids.length <= nodeSizeMax) return undefined
      const right = node.split(splitPoint(node.ids.length, at))
      return { separator: this.source.key(right.ids[0]!), node: right }
    }
    const child = node.childFor(key)
    const split = this.insertBelow(node.children[child]!, key, id, live)
    if (split === undefined) return undefined
    node.insertChild(child, split.separator, split.node)
    if (node.children.length <= nodeSizeMax) return undefined
    return node.split(splitPoint(node.children.length, child + 1))
  }

  /** Returns the change of `live` in `node`. */
  private removeBelow(node: Node, key: BinaryString): number {
    if (node instanceof Leaf) {
      const at = node.lowerBound(key)
      const change = this.source.isLive(node.ids[at]!) ? 1 : 0
      node.remove(at)
      node.live -= change
      return change
    }
    const at = node.childFor(key)
    const child = node.children[at]!
    const change = this.removeBelow(child, key)
    node.live -= change
    if (size(child) === 0) node.removeChild(at)
    else if (size(child) < nodeSizeSmall) mergeChild(node, at)
    return change
  }
}

interface Split {
  readonly separator: BinaryString
  readonly node: Node
}

/** In the middle, but keys that come in order leave full nodes behind. */
function splitPoint(length: number, inserted: number): number {
  return inserted === length - 1 ? length - 1 : length >>> 1
}

/** Joins a small child with a neighbour when they fit together. */
function mergeChild(branch: Branch, at: number): void {
  const left = at > 0 ? at - 1 : at
  const first = branch.children[left]!
  const second = branch.children[left + 1]
  if (second === undefined || size(first) + size(second) > nodeSizeMerged) return
  const separator = branch.separators[left]!
  if (first instanceof Leaf && second instanceof Leaf) first.absorb(second)
  else if (first instanceof Branch && second instanceof Branch) first.absorb(separator, second)
  branch.removeChild(left + 1)
}
