import type { BinaryString } from '../../base/index.ts'
import { firstNotBelow, headOf, prefixOf, sharedLength } from './key-heads.ts'
import type { Leaf } from './ordered-leaf.ts'

export type Node = Leaf | Branch

/**
 * Owns an inner node of the tree in `ordered-index.ts`.
 *
 * - I1  Every key below `children[i + 1]` is at least `separators[i]`, and every key below `children[i]` is less.
 * - I2  All separators begin with `prefix`, and `heads[i]` is the head of `separators[i]` after it (`key-heads.ts`).
 * - I3  `live` is the sum of the children's.
 *
 * Worked example: separators g, p over children [a c] [g k] [p z]; the child for "g" is 1, for "f" 0, for "q" 2. When
 * [g k] splits before k, the separators become g, k, p.
 */
export class Branch {
  readonly children: Node[]
  live = 0
  readonly separators: BinaryString[]
  private heads: number[] = []
  private prefix: BinaryString = ''

  constructor(separators: BinaryString[], children: Node[]) {
    this.separators = separators
    this.children = children
    for (const child of children) this.live += child.live
    this.rebuild()
  }

  /** The child to descend into: the first position at which `separators` is greater than `key`. */
  childFor(key: BinaryString): number {
    const { prefix, heads, separators } = this
    const shared = sharedLength(prefix, key)
    if (shared < prefix.length) return key < prefix ? 0 : separators.length
    const head = headOf(key, shared)
    let at = firstNotBelow(heads, head)
    while (heads[at] === head && separators[at]! <= key) at++
    return at
  }

  /** Puts `node`, whose keys begin with `separator`, after child `at`. */
  insertChild(at: number, separator: BinaryString, node: Node): void {
    this.separators.splice(at, 0, separator)
    this.children.splice(at + 1, 0, node)
    this.rebuild()
  }

  /** Takes out a child that is empty, or that its left neighbour has absorbed. */
  removeChild(at: number): void {
    this.children.splice(at, 1)
    this.separators.splice(Math.max(0, at - 1), 1)
    this.rebuild()
  }

  /** Keeps what is before child `at`; returns a branch of the rest, and the separator between the two. */
  split(at: number): { separator: BinaryString; node: Branch } {
    const [separator, ...rest] = this.separators.splice(at - 1)
    const node = new Branch(rest, this.children.splice(at))
    this.live -= node.live
    this.rebuild()
    return { separator: separator!, node }
  }

  /** Takes over all of `right`, whose keys begin with `separator`. */
  absorb(separator: BinaryString, right: Branch): void {
    this.separators.push(separator, ...right.separators)
    this.children.push(...right.children)
    this.live += right.live
    this.rebuild()
  }

  private rebuild(): void {
    const { separators } = this
    this.prefix = separators.length === 0 ? '' : prefixOf(separators[0]!, separators.at(-1)!)
    this.heads = separators.map((separator) => headOf(separator, this.prefix.length))
  }
}
