import type { HeldLock } from './held.ts'
import { Holding, type HoldingParts } from './holding.ts'

/** A {@link Holding} with a name and a token. */
export class LockHolding extends Holding implements HeldLock {
  readonly name: string
  readonly fencingToken: number

  constructor(parts: HoldingParts, name: string, fencingToken: number) {
    super(parts)
    this.name = name
    this.fencingToken = fencingToken
  }
}
