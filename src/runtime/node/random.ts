import { randomBytes, randomFillSync } from 'node:crypto'
import { Prng } from '../../base/index.ts'
import type { Random } from '../index.ts'

const seedBytes = 32

/**
 * A {@link Random} seeded by the operating system. Numbers come from a fast generator that is not for secrets; `bytes`
 * asks the operating system each time and may be used for ids that nobody must guess.
 */
export class NodeRandom implements Random {
  private readonly prng = new Prng(randomBytes(seedBytes).toString('latin1'))

  uint32(): number {
    return this.prng.uint32()
  }

  below(bound: number): number {
    return this.prng.below(bound)
  }

  float(): number {
    return this.prng.float()
  }

  bytes(length: number): Uint8Array {
    return randomFillSync(new Uint8Array(length))
  }

  /** Seeded afresh: `label` matters to the simulator only. */
  fork(_label: string): Random {
    return new NodeRandom()
  }
}
