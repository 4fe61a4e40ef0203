import type { BinaryString } from '../../../base/index.ts'

/**
 * Finds the ranges that contain a key: an AVL tree of half-open ranges, each node knowing the greatest end below it
 * (Cormen et al., Introduction to Algorithms, 3rd edition, §14.3). Holds one value a distinct range.
 *
 * Invariants:
 * - I1  Nodes are ordered by start, then end; no two are equal.
 * - I2  The heights of a node's two subtrees differ by at most 1.
 * - I3  `greatestEnd` is the greatest end in the node's subtree, itself included.
 */
export class IntervalTree<V> {
  private root: Node<V> | undefined = undefined
  private count = 0

  /** How many ranges it holds. */
  get size(): number {
    return this.count
  }

  get(start: BinaryString, end: BinaryString): V | undefined {
    let node = this.root
    while (node !== undefined) {
      const order = compare(start, end, node)
      if (order === 0) return node.value
      node = order < 0 ? node.left : node.right
    }
    return undefined
  }

  /** Adds the range from `start` to before `end`, or replaces its value. */
  set(start: BinaryString, end: BinaryString, value: V): void {
    this.root = this.insert(this.root, start, end, value)
  }

  delete(start: BinaryString, end: BinaryString): boolean {
    const before = this.count
    this.root = this.remove(this.root, start, end)
    return this.count < before
  }

  /** Calls `visit` with the value of each range that contains `key`. The tree must not change meanwhile. */
  stab(key: BinaryString, visit: (value: V) => void): void {
    stabNode(this.root, key, visit)
  }

  /** Checks I1 to I3; returns the first violation found. For tests. */
  violation(): string | undefined {
    let found: string | undefined
    let last: Node<V> | undefined
    let seen = 0
    const walk = (node: Node<V> | undefined): number => {
      if (node === undefined) return 0
      const left = walk(node.left)
      if (last !== undefined && compare(last.start, last.end, node) >= 0) found ??= 'I1: order'
      last = node
      seen++
      const right = walk(node.right)
      if (Math.abs(left - right) > 1) found ??= 'I2: balance'
      if (node.height !== 1 + Math.max(left, right)) found ??= 'I2: height'
      if (node.greatestEnd !== greatestEndOf(node)) found ??= 'I3: greatest end'
      return 1 + Math.max(left, right)
    }
    walk(this.root)
    if (seen !== this.count) found ??= 'size'
    return found
  }

  private insert(node: Node<V> | undefined, start: BinaryString, end: BinaryString, value: V): Node<V> {
    if (node === undefined) {
      this.count++
      return { start, end, value, left: undefined, right: undefined, height: 1, greatestEnd: end }
    }
    const order = compare(start, end, node)
    if (order === 0) {
      node.value = value
      return node
    }
    if (order < 0) node.left = this.insert(node.left, start, end, value)
    else node.right = this.insert(node.right, start, end, value)
    return rebalance(node)
  }

  private remove(node: Node<V> | undefined, start: BinaryString, end: BinaryString): Node<V> | undefined {
    if (node === undefined) return undefined
    const order = compare(start, end, node)
    if (order < 0) node.left = this.remove(node.left, start, end)
    else if (order > 0) node.right = this.remove(node.right, start, end)
    else {
      this.count--
      if (node.left === undefined) return node.right
      if (node.right === undefined) return node.left
      const { first, rest } = takeFirst(node.right)
      first.left = node.left
      first.right = rest
      return rebalance(first)
    }
    return rebalance(node)
  }
}

/** Greater than every key: the end of a range that has none. No binary string contains a unit above 255. */
export const infiniteEnd: BinaryString = '\uffff'

interface Node<V> {
  readonly start: BinaryString
  readonly end: BinaryString
  value: V
  left: Node<V> | undefined
  right: Node<V> | undefined
  height: number
  greatestEnd: BinaryString
}

function compare<V>(start: BinaryString, end: BinaryString, node: Node<V>): number {
  if (start !== node.start) return start < node.start ? -1 : 1
  if (end !== node.end) return end < node.end ? -1 : 1
  return 0
}

function stabNode<V>(from: Node<V> | undefined, key: BinaryString, visit: (value: V) => void): void {
  let node = from
  while (node !== undefined && key < node.greatestEnd) {
    stabNode(node.left, key, visit)
    if (key < node.start) return
    if (key < node.end) visit(node.value)
    node = node.right
  }
}

/** Takes the least node out of a subtree. */
function takeFirst<V>(node: Node<V>): { first: Node<V>; rest: Node<V> | undefined } {
  if (node.left === undefined) return { first: node, rest: node.right }
  const { first, rest } = takeFirst(node.left)
  node.left = rest
  return { first, rest: rebalance(node) }
}

function rebalance<V>(node: Node<V>): Node<V> {
  const lean = heightOf(node.left) - heightOf(node.right)
  if (lean > 1) {
    const left = node.left as Node<V>
    if (heightOf(left.left) < heightOf(left.right)) node.left = rotateLeft(left)
    return rotateRight(node)
  }
  if (lean < -1) {
    const right = node.right as Node<V>
    if (heightOf(right.right) < heightOf(right.left)) node.right = rotateRight(right)
    return rotateLeft(node)
  }
  refresh(node)
  return node
}

function rotateRight<V>(node: Node<V>): Node<V> {
  const top = node.left as Node<V>
  node.left = top.right
  top.right = node
  refresh(node)
  refresh(top)
  return top
}

function rotateLeft<V>(node: Node<V>): Node<V> {
  const top = node.right as Node<V>
  node.right = top.left
  top.left = node
  refresh(node)
  refresh(top)
  return top
}

function refresh<V>(node: Node<V>): void {
  node.height = 1 + Math.max(heightOf(node.left), heightOf(node.right))
  node.greatestEnd = greatestEndOf(node)
}

function greatestEndOf<V>(node: Node<V>): BinaryString {
  let greatest = node.end
  if (node.left !== undefined && node.left.greatestEnd > greatest) greatest = node.left.greatestEnd
  if (node.right !== undefined && node.right.greatestEnd > greatest) greatest = node.right.greatestEnd
  return greatest
}

function heightOf<V>(node: Node<V> | undefined): number {
  return node === undefined ? 0 : node.height
}
