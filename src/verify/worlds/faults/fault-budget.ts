/**
 * Keeps a world inside the fault model (docs/fault-model.md): what may only ever happen to a minority of the members,
 * silent damage to files and the loss of a whole disk, happens to machines of one set that is drawn at the start.
 */
import type { Random } from '../../../runtime/index.ts'
import { shuffled } from '../chance.ts'
import type { Machine } from '../machine.ts'

export class FaultBudget {
  private readonly random: Random
  private readonly damageable = new Set<string>()

  constructor(random: Random) {
    this.random = random
  }

  /** Draws who may be damaged: a minority of the founders. */
  draw(founders: readonly Machine[]): void {
    const count = Math.floor((founders.length - 1) / 2)
    for (const { name } of shuffled(this.random, founders).slice(0, count)) this.damageable.add(name)
  }

  mayDamage(machine: Machine): boolean {
    return this.damageable.has(machine.name)
  }
}
