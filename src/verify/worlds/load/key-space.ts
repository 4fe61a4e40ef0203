/**
 * The few hot keys that all clients share. An operation of unknown fate may take effect at any later time, so each one
 * left open doubles what a checker has to think of: after some, the clients move on to fresh keys.
 */
import type { Random } from '../../../runtime/index.ts'
import { pick } from '../chance.ts'

const singleCount = 4
const jointCount = 3
const unknownMax = 5

export class KeySpace {
  private readonly generations = { a: 0, j: 0 }
  private readonly unknown = { a: 0, j: 0 }

  /** A key that only single-key operations touch: an object of its own to the checkers. */
  single(random: Random): string {
    return `a${this.generations.a}.${random.below(singleCount)}`
  }

  /** A key of transactions and ranges: all of a generation are one object. */
  joint(index: number): string {
    return `j${this.generations.j}.${index}`
  }

  anyJoint(random: Random): string {
    return this.joint(random.below(jointCount))
  }

  /** Two joint keys that a transaction may touch together. */
  pair(random: Random): readonly [string, string] {
    return pick(random, [
      [this.joint(0), this.joint(1)],
      [this.joint(1), this.joint(2)],
    ] as const)
  }

  /** The range of all joint keys: from the first to before the second. */
  get jointRange(): readonly [string, string] {
    return [`j${this.generations.j}.`, `j${this.generations.j}/`]
  }

  /** A write to `key` was left open. */
  noteUnknown(key: string): void {
    const kind = key.startsWith('j') ? 'j' : 'a'
    if (!key.startsWith(`${kind}${this.generations[kind]}.`) || ++this.unknown[kind] < unknownMax) return
    this.unknown[kind] = 0
    this.generations[kind]++
  }
}
