/** Uncertain operations by effect, and which of them write what: to find those that could help a stuck search. */
import { absent, type CompiledOperation, stepKind } from './compiled-operation.ts'
import { isUnmet, type Need, needsOf } from './needs.ts'

export class UncertainClasses {
  /** Of each class the operations, by invocation. */
  readonly members: readonly Int32Array[]
  private readonly needs: readonly (readonly Need[])[]
  /** Those that are not free to move to where they help: they may be needed anywhere. */
  private readonly unmovable: readonly number[]
  /** Classes that write a key, and of those the ones that write it with one value. */
  private readonly writers = new Map<number, number[]>()
  private readonly writersOfValue = new Map<number, Map<number, number[]>>()

  constructor(operations: readonly CompiledOperation[], byInvocation: Int32Array) {
    const classes = new Map<string, number[]>()
    for (const i of byInvocation) {
      const operation = operations[i]!
      if (operation.certain) continue
      const name = effectOf(operation)
      const members = classes.get(name)
      if (members === undefined) classes.set(name, [i])
      else members.push(i)
    }
    // Those that change least stand first, and are tried first: they do the least harm elsewhere.
    const keyCount = (members: readonly number[]) => operations[members[0]!]!.keys.length
    this.members = [...classes.values()]
      .sort((a, b) => keyCount(a) - keyCount(b))
      .map((members) => Int32Array.from(members))
    const representatives = this.members.map((members) => operations[members[0]!]!)
    this.needs = representatives.map(needsOf)
    this.unmovable = [...representatives.keys()].filter((index) => representatives[index]!.singleWrite < 0)
    representatives.forEach((operation, index) => {
      this.addWriter(index, operation)
    })
  }

  /**
   * The classes that could give `needs` what the state lacks, directly or by giving it to another class, and with
   * `unmovable` those that may be needed anywhere; ascending.
   */
  helpful(needs: Iterable<readonly Need[]>, values: Int32Array, unmovable: boolean): number[] {
    const found = new Set<number>(unmovable ? this.unmovable : [])
    const asked = new Set<number>()
    const ask = (all: readonly Need[]): void => {
      for (const need of all) {
        if (!isUnmet(need, values)) continue
        for (const index of this.writersFor(need)) found.add(index)
      }
    }
    for (const each of needs) ask(each)
    // A set grows while it is walked, and the walk reaches what was added.
    for (const index of found) {
      if (asked.has(index)) continue
      asked.add(index)
      ask(this.needs[index]!)
    }
    return [...found].sort((a, b) => a - b)
  }

  private writersFor({ key, kind, value }: Need): readonly number[] {
    const writers = kind === 'equals' ? this.writersOfValue.get(key)?.get(value) : this.writers.get(key)
    return writers ?? []
  }

  private addWriter(index: number, operation: CompiledOperation): void {
    for (const { kind, keys, value } of [...operation.success, ...operation.failure]) {
      if (kind !== stepKind.put && kind !== stepKind.delete) continue
      const key = keys[0]!
      addTo(this.writers, key, index)
      let ofKey = this.writersOfValue.get(key)
      if (ofKey === undefined) this.writersOfValue.set(key, (ofKey = new Map()))
      addTo(ofKey, kind === stepKind.put ? value : absent, index)
    }
  }
}

function addTo(lists: Map<number, number[]>, name: number, item: number): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else if (list.at(-1) !== item) list.push(item)
}

/** Two uncertain operations of equal name do the same in every state. */
function effectOf(operation: CompiledOperation): string {
  const steps = (branch: CompiledOperation['success']) =>
    branch
      .filter(({ kind }) => kind === stepKind.put || kind === stepKind.delete)
      .map(({ kind, keys, value }) => `${kind}:${keys[0]}:${value}`)
      .join(';')
  const compares = operation.compares.map(
    ({ key, target, relation, operand }) => `${key} ${target} ${relation} ${operand}`,
  )
  return `${compares.join('&')}?${steps(operation.success)}|${steps(operation.failure)}`
}
