/**
 * The search for an order: Wing and Gong's, with Lowe's list of open events and memory of what was met ("Testing for
 * linearizability", 2017, §3). Called once for each object (a set of keys that no operation leaves).
 *
 * - W1  The list holds the events of the certain operations that are not yet taken, by time. Before its first return stand
 *       exactly those that may be taken next.
 * - W2  Every certain operation is taken once; an uncertain one once or never. The search succeeds when all certain ones
 *       are taken.
 * - W3  A pure operation that is legal now is taken at once and never reconsidered: whatever order exists from here also
 *       exists with it moved to this place.
 * - W4  Of uncertain operations with the same effect the earliest invoked is taken first: it may stand wherever a later
 *       one may.
 * - W5  An uncertain write to one key is taken only where it helps: directly before an operation that without it would be
 *       illegal (or, uncertain itself, without effect), or together with other uncertain ones before an operation that
 *       observes both. It has no deadline, so in any order it can be moved back to the first operation that needs it, or
 *       dropped if there is none. Not with tracked versions, which every write of the key changes.
 * - W6  A (taken set, state, key of W5) met before is not entered again.
 *
 * With `byRevision` its operations are taken in that order only: a much smaller search, enough where it succeeds.
 */
import type { CompiledOperation } from './compiled-operation.ts'
import { FingerprintSet, laneCount, mixLane } from './fingerprint-set.ts'
import type { KeyValueObject } from './key-value-object.ts'
import { type Need, needsOf } from './needs.ts'
import { type RealTimeOrder, realTimeOrder } from './real-time-order.ts'
import { UncertainClasses } from './uncertain-classes.ts'

/** Bounds of the search, shared by all objects of one history. */
export interface SearchBudget {
  stepsLeft: number
  readonly fingerprintsMax: number
}

/** The furthest point that no order gets beyond. */
export interface DeadEnd {
  /** The operation whose return no order reaches. */
  readonly blocked: CompiledOperation
  /** One of the orders that lead there: its last operations, oldest first. */
  readonly lastTaken: readonly CompiledOperation[]
  readonly takenCount: number
  /** Certain operations open there, `blocked` among them. */
  readonly open: readonly CompiledOperation[]
  /** Uncertain operations that were available there and not used up. */
  readonly uncertain: readonly CompiledOperation[]
  /** The different states of the keys concerned in which orders ended there, a few: key number to value number. */
  readonly states: readonly ReadonlyMap<number, number>[]
}

export type SearchOutcome =
  | { readonly outcome: 'found' }
  | { readonly outcome: 'impossible'; readonly deadEnd: DeadEnd }
  | { readonly outcome: 'gaveUp'; readonly deadEnd: DeadEnd | undefined }

const lastTakenMax = 24
const statesMax = 6
const setSeed = 0x51ed270b
const awaitingSeed = 0x2545f491

export class LinearizationSearch {
  private readonly operations: readonly CompiledOperation[]
  private readonly object: KeyValueObject
  private readonly budget: SearchBudget
  private readonly tracked: boolean
  private readonly order: RealTimeOrder
  private readonly byRevision: Int32Array | undefined
  private readonly met: FingerprintSet
  /** W4: the uncertain operations by effect, each class by invocation. */
  private readonly classes: UncertainClasses
  private readonly needs: readonly (readonly Need[])[]

  /** W1, doubly linked: event 2i is the invocation of operation i, 2i + 1 its return, the last one the list's head. */
  private readonly next: Int32Array
  private readonly previous: Int32Array
  private readonly head: number
  private readonly taken: Uint8Array
  private readonly setLanes = new Int32Array(laneCount)
  private certainLeft = 0
  /** With `byRevision`: which operations it holds, and how many of them are taken. */
  private readonly inSequence: Uint8Array
  private sequencePlace = 0

  /** One frame for each operation taken: what it was and how to go on after taking it back. */
  private readonly frameOperation: Int32Array
  private readonly frameEvent: Int32Array
  private readonly frameClass: Int32Array
  private readonly frameChoice: Uint8Array
  private readonly frameMark: Float64Array
  private readonly frameAwaiting: Int32Array
  private depth = 0

  /** Where to go on: an event of the list, and past all invocations a class of uncertain operations. */
  private event = 0
  private class = 0
  private choice = 0
  /** W5: the key that the last uncertain write changed, which the next operation must need; or -1. */
  private awaiting = -1

  private deadEnd: (DeadEnd & { readonly states: Map<number, number>[] }) | undefined
  private deadEndPlace = -1
  private readonly deadEndStates = new Set<string>()

  constructor(
    operations: readonly CompiledOperation[],
    object: KeyValueObject,
    budget: SearchBudget,
    options: { readonly tracked: boolean; readonly byRevision?: Int32Array },
  ) {
    this.operations = operations
    this.object = object
    this.budget = budget
    this.tracked = options.tracked
    this.byRevision = options.byRevision
    this.order = realTimeOrder(operations)
    this.met = new FingerprintSet(budget.fingerprintsMax)
    this.classes = new UncertainClasses(operations, this.order.byInvocation)
    this.needs = operations.map((operation) => (operation.certain ? needsOf(operation) : []))
    const count = operations.length
    this.head = 2 * count
    this.next = new Int32Array(2 * count + 1)
    this.previous = new Int32Array(2 * count + 1)
    this.taken = new Uint8Array(count)
    this.inSequence = new Uint8Array(count)
    for (const i of this.byRevision ?? []) this.inSequence[i] = 1
    this.frameOperation = new Int32Array(count)
    this.frameEvent = new Int32Array(count)
    this.frameClass = new Int32Array(count)
    this.frameChoice = new Uint8Array(count)
    this.frameMark = new Float64Array(count)
    this.frameAwaiting = new Int32Array(count)
    this.linkEvents()
  }

  /** Leaves the object in its initial state. */
  run(): SearchOutcome {
    const mark = this.object.mark
    const outcome = this.search()
    this.object.undo(mark)
    return outcome
  }

  private search(): SearchOutcome {
    this.enterFront()
    for (;;) {
      if (this.certainLeft === 0) return { outcome: 'found' }
      if (this.budget.stepsLeft <= 0) return { outcome: 'gaveUp', deadEnd: this.deadEnd }
      if (this.takeCertain() || this.takeUncertain()) {
        this.enterFront()
        continue
      }
      this.noteDeadEnd()
      if (!this.backtrack()) return { outcome: 'impossible', deadEnd: this.deadEnd! }
    }
  }

  private enterFront(): void {
    if (this.byRevision === undefined) this.takePure()
    this.goToFront()
  }

  /** W3 */
  private takePure(): void {
    let event = this.next[this.head]!
    while (event !== this.head && (event & 1) === 0) {
      const i = event >> 1
      const operation = this.operations[i]!
      if (operation.pure && this.mayTake(i, operation)) {
        this.budget.stepsLeft--
        const mark = this.object.mark
        if (this.applyAnyChoice(operation)) {
          const before = this.previous[event]!
          this.enter(i, true, -1, mark)
          event = this.next[before]!
          continue
        }
      }
      event = this.next[event]!
    }
  }

  private applyAnyChoice(operation: CompiledOperation): boolean {
    for (let choice = 0; choice < operation.choices; choice++) if (this.object.apply(operation, choice)) return true
    return false
  }

  /** Chains operations that never return at the end: without a return they block nothing. */
  private linkEvents(): void {
    const { operations, order, next, previous, head } = this
    const byPlace = new Int32Array(2 * operations.length + 1).fill(-1)
    operations.forEach((operation, i) => {
      if (!operation.certain) return
      this.certainLeft++
      byPlace[order.invocationPlace[i]!] = 2 * i
      if (order.returnPlace[i]! < 2 * operations.length) byPlace[order.returnPlace[i]!] = 2 * i + 1
    })
    let last = head
    for (const event of byPlace) {
      if (event < 0) continue
      next[last] = event
      previous[event] = last
      last = event
    }
    next[last] = head
    previous[head] = last
  }

  private goToFront(): void {
    this.event = this.next[this.head]!
    this.class = 0
    this.choice = 0
    if (this.byRevision === undefined) return
    const operation = this.byRevision[this.sequencePlace]!
    const front = this.firstReturn()
    const limit = front === this.head ? Number.POSITIVE_INFINITY : this.order.returnPlace[front >> 1]!
    if (operation !== undefined && this.order.invocationPlace[operation]! < limit) this.event = 2 * operation
    else this.event = front
  }

  /** The first return of the list, or its head. */
  private firstReturn(): number {
    let event = this.next[this.head]!
    while (event !== this.head && (event & 1) === 0) event = this.next[event]!
    return event
  }

  /** Tries the invocations from `event` on. Leaves `event` at the first return if none can be taken. */
  private takeCertain(): boolean {
    while (this.event !== this.head && (this.event & 1) === 0) {
      const i = this.event >> 1
      const operation = this.operations[i]!
      // W3: a pure operation that is still in the list is not legal now.
      const skipped = operation.pure && this.byRevision === undefined
      for (; !skipped && this.choice < operation.choices; this.choice++) {
        if (!this.mayTake(i, operation)) break
        const mark = this.object.mark
        this.budget.stepsLeft--
        if (!this.object.apply(operation, this.choice)) continue
        if (this.enter(i, operation.pure, -1, mark)) return true
      }
      this.choice = 0
      this.event = this.byRevision === undefined ? this.next[this.event]! : this.firstReturn()
    }
    return false
  }

  private mayTake(i: number, operation: CompiledOperation): boolean {
    const before = this.order.predecessor[i]!
    if (before >= 0 && this.taken[before] === 0) return false
    return this.awaiting < 0 || (operation.observes.includes(this.awaiting) && this.needsLast(operation))
  }

  /** W5: whether `operation` could not be taken, or would do nothing, without the last operation, an uncertain one. */
  private needsLast(operation: CompiledOperation): boolean {
    // One whose reply does not tell what it did may be legal without it and do something else.
    if (operation.certain && operation.succeeded === undefined) return true
    const last = this.depth - 1
    const mark = this.frameMark[last]!
    this.object.undo(mark)
    this.budget.stepsLeft--
    const could = this.applyAnyChoice(operation) && (operation.certain || this.object.mark > mark)
    this.object.undo(mark)
    this.object.apply(this.operations[this.frameOperation[last]!]!, this.frameChoice[last]!)
    return !could
  }

  /** Tries the uncertain operations from class `class` on. */
  private takeUncertain(): boolean {
    if (this.classes.members.length === 0) return false
    const limit = this.event === this.head ? Number.POSITIVE_INFINITY : this.order.returnPlace[this.event >> 1]!
    for (const index of this.candidateClasses()) {
      if (index < this.class) continue
      if (index > this.class) this.choice = 0
      this.class = index
      const i = this.firstAvailable(this.classes.members[index]!, limit)
      if (i < 0) continue
      const operation = this.operations[i]!
      const single = this.tracked ? -1 : operation.singleWrite
      if (this.awaiting >= 0 && !this.mayFollow(operation, single)) continue
      for (; this.choice < operation.choices; this.choice++) {
        const mark = this.object.mark
        this.budget.stepsLeft--
        // Without an effect it might as well never happen.
        if (!this.object.apply(operation, this.choice) || this.object.mark === mark) continue
        if (this.enter(i, false, single, mark)) return true
      }
    }
    return false
  }

  /** Those that could help an open operation; all of them if versions count. Ascending. */
  private candidateClasses(): Iterable<number> {
    if (this.byRevision !== undefined) {
      const next = this.byRevision[this.sequencePlace]
      return this.classes.helpful(next === undefined ? [] : [this.needs[next]!], this.object.values, false)
    }
    if (this.tracked) return this.classes.members.keys()
    const needs: (readonly Need[])[] = []
    for (let event = this.next[this.head]!; event !== this.head && (event & 1) === 0; event = this.next[event]!)
      needs.push(this.needs[event >> 1]!)
    return this.classes.helpful(needs, this.object.values, true)
  }

  /** W5, for a further uncertain operation. */
  private mayFollow(operation: CompiledOperation, single: number): boolean {
    if (operation.observes.includes(this.awaiting) && this.needsLast(operation)) return true
    if (single < 0 || single === this.awaiting) return false
    for (let event = this.next[this.head]!; event !== this.head && (event & 1) === 0; event = this.next[event]!) {
      const { observes } = this.operations[event >> 1]!
      if (observes.includes(single) && observes.includes(this.awaiting)) return true
    }
    return false
  }

  private firstAvailable(members: Int32Array, limit: number): number {
    for (const i of members) {
      if (this.order.invocationPlace[i]! >= limit) return -1
      const before = this.order.predecessor[i]!
      if (this.taken[i] === 0 && this.inSequence[i] === 0 && (before < 0 || this.taken[before] === 1)) return i
    }
    return -1
  }

  /** The operation was applied: takes it, unless that was met before (W6). */
  private enter(i: number, pure: boolean, awaiting: number, mark: number): boolean {
    this.toggleTaken(i)
    if (!pure && !this.isNew(awaiting)) {
      this.toggleTaken(i)
      this.object.undo(mark)
      return false
    }
    const { depth } = this
    this.frameOperation[depth] = i
    this.frameEvent[depth] = this.event
    this.frameClass[depth] = this.class
    this.frameChoice[depth] = this.choice
    this.frameMark[depth] = mark
    this.frameAwaiting[depth] = this.awaiting
    this.depth++
    this.awaiting = awaiting
    this.sequencePlace += this.inSequence[i]!
    if (this.operations[i]!.certain) {
      this.unlink(i)
      this.certainLeft--
    }
    return true
  }

  /** Takes back operations up to the last that has alternatives. False: there is none. */
  private backtrack(): boolean {
    while (this.depth > 0) {
      const depth = --this.depth
      const i = this.frameOperation[depth]!
      const operation = this.operations[i]!
      this.object.undo(this.frameMark[depth]!)
      this.toggleTaken(i)
      this.awaiting = this.frameAwaiting[depth]!
      this.sequencePlace -= this.inSequence[i]!
      if (operation.certain) {
        this.relink(i)
        this.certainLeft++
        if (operation.pure) continue
      }
      this.event = this.frameEvent[depth]!
      this.class = this.frameClass[depth]!
      this.choice = this.frameChoice[depth]! + 1
      return true
    }
    return false
  }

  private unlink(i: number): void {
    const { next, previous } = this
    for (let event = 2 * i; event <= this.lastEventOf(i); event++) {
      next[previous[event]!] = next[event]!
      previous[next[event]!] = previous[event]!
    }
  }

  private relink(i: number): void {
    const { next, previous } = this
    for (let event = this.lastEventOf(i); event >= 2 * i; event--) {
      next[previous[event]!] = event
      previous[next[event]!] = event
    }
  }

  private lastEventOf(i: number): number {
    return this.order.returnPlace[i]! < this.head ? 2 * i + 1 : 2 * i
  }

  private toggleTaken(i: number): void {
    this.taken[i]! ^= 1
    for (let lane = 0; lane < laneCount; lane++) this.setLanes[lane]! ^= mixLane(lane, setSeed, i)
  }

  private isNew(awaiting: number): boolean {
    const { lanes } = this.object
    const { setLanes } = this
    const lane = (n: number) => lanes[n]! ^ setLanes[n]! ^ (awaiting < 0 ? 0 : mixLane(n, awaitingSeed, awaiting))
    return this.met.add(lane(0), lane(1), lane(2), lane(3))
  }

  /** Keeps the furthest place at which the search ended, and the states in which it did. */
  private noteDeadEnd(): void {
    const front = this.firstReturn()
    // Operations that never return block nothing.
    if (front === this.head && this.deadEnd !== undefined) return
    const place = front === this.head ? 0 : this.order.returnPlace[front >> 1]!
    if (place < this.deadEndPlace || (place === this.deadEndPlace && this.deadEndStates.size >= statesMax)) return
    const open = this.openOperations()
    const state = new Map<number, number>()
    for (const operation of open) for (const key of operation.keys) state.set(key, this.object.values[key]!)
    if (place > this.deadEndPlace) {
      this.deadEndPlace = place
      this.deadEndStates.clear()
      const taken = this.frameOperation.subarray(Math.max(0, this.depth - lastTakenMax), this.depth)
      this.deadEnd = {
        blocked: front === this.head ? open[0]! : this.operations[front >> 1]!,
        lastTaken: Array.from(taken, (i) => this.operations[i]!),
        takenCount: this.depth,
        open,
        uncertain: this.availableUncertain(place),
        states: [],
      }
    }
    const name = [...state].join()
    if (this.deadEndStates.has(name)) return
    this.deadEndStates.add(name)
    this.deadEnd!.states.push(state)
  }

  private openOperations(): CompiledOperation[] {
    const open: CompiledOperation[] = []
    for (let event = this.next[this.head]!; event !== this.head && (event & 1) === 0; event = this.next[event]!)
      open.push(this.operations[event >> 1]!)
    return open
  }

  private availableUncertain(limit: number): CompiledOperation[] {
    const available: CompiledOperation[] = []
    for (const members of this.classes.members)
      for (const i of members)
        if (this.taken[i] === 0 && this.order.invocationPlace[i]! < limit) available.push(this.operations[i]!)
    return available.slice(0, lastTakenMax)
  }
}
