/**
 * The few hot keys that all clients share. An operation of unknown fate may take effect at any later time, so each one
 * left open doubles what a checker has to think of: after some, the clients move on to fresh keys. While nobody answers, all
 * clients' writes are open at once and may all be left so: past a number of open ones new writes go to fresh keys, too.
 */
import type { Random } from '../../../runtime/index.ts'
import { pick } from '../chance.ts'

const singleCount = 4
const jointCount = 3
const unknownMax = 5
/** Open and unknown writes of one generation; the single keys are objects of their own. */
const undecidedMax = { a: 24, j: 8 } as const

type Kind = 'a' | 'j'

export class KeySpace {
  private readonly generations = { a: 0, j: 0 }
  private readonly unknown = { a: 0, j: 0 }
  /** Writes of the present generation that are not answered yet. */
  private readonly open = { a: 0, j: 0 }

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

  /** A write to `key` was sent. */
  noteBegun(key: string): void {
    const kind = kindOf(key)
    if (!this.isPresent(key)) return
    this.open[kind]++
    if (this.open[kind] + this.unknown[kind] >= undecidedMax[kind]) this.moveOn(kind)
  }

  /** It was answered, one way or another. */
  noteEnded(key: string): void {
    if (this.isPresent(key)) this.open[kindOf(key)]--
  }

  /** A write to `key` was left open. */
  noteUnknown(key: string): void {
    const kind = kindOf(key)
    if (this.isPresent(key) && ++this.unknown[kind] >= unknownMax) this.moveOn(kind)
  }

  private isPresent(key: string): boolean {
    const kind = kindOf(key)
    return key.startsWith(`${kind}${this.generations[kind]}.`)
  }

  private moveOn(kind: Kind): void {
    this.generations[kind]++
    this.unknown[kind] = 0
    this.open[kind] = 0
  }
}

function kindOf(key: string): Kind {
  return key.startsWith('j') ? 'j' : 'a'
}
