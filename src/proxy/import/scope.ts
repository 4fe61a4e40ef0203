/** Blocks within blocks, and how nginx's directives are inherited from the outer ones. */
import type { ImportNotes } from './carried.ts'
import type { Directive } from './nginx-syntax.ts'

export class Scope {
  readonly directives: readonly Directive[]
  readonly outer: Scope | undefined
  readonly notes: ImportNotes

  constructor(directives: readonly Directive[], outer: Scope | undefined, notes: ImportNotes) {
    this.directives = directives
    this.outer = outer
    this.notes = notes
  }

  inside(block: Directive): Scope {
    this.notes.take(block)
    return new Scope(block.block ?? [], this, this.notes)
  }

  /** Those of this block itself. */
  own(name: string): readonly Directive[] {
    return this.directives.filter((each) => each.name === name).map((each) => this.notes.take(each))
  }

  /** All of this block and of those in it: nothing is to be told of them. */
  takeAll(): void {
    const take = (directives: readonly Directive[]): void => {
      for (const each of directives) take(this.notes.take(each).block ?? [])
    }
    take(this.directives)
  }

  /** Of the innermost block that has any: none is inherited once a block has one of its own. */
  all(name: string): readonly Directive[] {
    const found = this.own(name)
    if (found.length > 0 || this.outer === undefined) return found
    return this.outer.all(name)
  }

  /** The last of {@link all}. */
  one(name: string): Directive | undefined {
    return this.all(name).at(-1)
  }

  /** The arguments of {@link one}. */
  args(name: string): readonly string[] {
    return this.one(name)?.args ?? []
  }
}
