/** A client that reads and writes, one operation at a time, on whichever node it is attached to. */
import type { Random } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/simulation/index.ts'
import type { KvEntry, KvInput, OperationRecord } from '../../history/index.ts'
import { chance, exponential, pick } from '../chance.ts'
import type { Cluster } from '../cluster.ts'
import type { Machine } from '../machine.ts'
import type { Recorder } from '../recorder.ts'
import type { Answer, Calls } from './calls.ts'
import type { KeySpace } from './key-space.ts'
import { type KvAnswer, performKv } from './kv-calls.ts'
import { type DrawnOperation, KvMemory, KvOperations, keyOf } from './kv-operations.ts'

/** After an operation whose fate is unknown: each one left open costs the checkers a fork. */
const afterUnknownMs = 250

export interface ClientWorld {
  readonly simulation: Simulation
  readonly cluster: Cluster
  readonly recorder: Recorder
  readonly calls: Calls
  readonly keys: KeySpace
  /** How far clocks drift here at most, in millionths. */
  readonly driftPpm: number
}

export class KvClient {
  private readonly world: ClientWorld
  private readonly random: Random
  private readonly name: string
  private readonly thinkMs: number
  private readonly operations: KvOperations
  private readonly memory = new KvMemory()
  private machine: Machine
  /** An operation that is never answered stays open: the client goes on under another name. */
  private generation = 0
  private stopped = false

  constructor(world: ClientWorld, random: Random, name: string, thinkMs: number) {
    this.world = world
    this.random = random
    this.name = name
    this.thinkMs = thinkMs
    this.operations = new KvOperations(random, world.keys, name)
    this.machine = pick(random, world.cluster.members)
  }

  start(): void {
    this.later(exponential(this.random, this.thinkMs))
  }

  stop(): void {
    this.stopped = true
  }

  private later(delayMs: number): void {
    this.world.simulation.after(delayMs, () => {
      if (!this.stopped) this.next(this.operations.draw(this.memory))
    })
  }

  private next(operation: DrawnOperation): void {
    if (chance(this.random, 0.05)) this.machine = pick(this.random, this.world.cluster.members)
    const client = this.generation === 0 ? this.name : `${this.name}.${this.generation}`
    const { keys } = this.world
    const written = isWrite(operation.input) ? keyOf(operation.input) : undefined
    if (written !== undefined) keys.noteBegun(written)
    performOn(this.world, client, this.machine, operation, (record) => {
      if (written !== undefined) keys.noteEnded(written)
      if (record === undefined) {
        this.machine = pick(this.random, this.world.cluster.members)
        this.later(20 + this.random.below(100))
        return
      }
      this.learn(operation.input, record)
      this.after(operation, record)
    })
  }

  private after(operation: DrawnOperation, record: OperationRecord): void {
    if (record.outcome !== 'unknown') {
      if (record.outcome === 'failed' && chance(this.random, 0.5))
        this.machine = pick(this.random, this.world.cluster.members)
      this.later(exponential(this.random, this.thinkMs))
      return
    }
    this.generation++
    if (isWrite(operation.input)) this.world.keys.noteUnknown(keyOf(operation.input))
    this.machine = pick(this.random, this.world.cluster.members)
    // A writer that tries again: the first attempt stays unknown, whatever becomes of the second.
    const again = chance(this.random, 0.3)
    this.world.simulation.after(afterUnknownMs, () => {
      if (this.stopped) return
      this.next(again ? operation : this.operations.draw(this.memory))
    })
  }

  private learn(input: KvInput, record: OperationRecord): void {
    if (record.output === undefined || record.serializable === true) return
    const revision = record.output.revision ?? 0
    const note = (entries: readonly KvEntry[] | undefined): void => {
      for (const { key, value, modRevision } of entries ?? []) this.memory.noteValue(key, value, modRevision ?? 0)
    }
    note(record.output.entries)
    for (const step of record.output.steps ?? []) note(step.entries)
    if (input.op === 'put' || (input.op === 'cas' && record.output.succeeded === true))
      this.memory.noteValue(input.key, input.value, revision)
    if (input.op === 'delete' || (input.op === 'get' && record.output.entries?.length === 0))
      this.memory.noteValue(input.key, null, 0)
  }
}

function isWrite(input: KvInput): boolean {
  return input.op !== 'get' && input.op !== 'range'
}

/** Sends one operation to the node on `machine` and records it. `ended` gets undefined when nobody listened there. */
export function performOn(
  world: ClientWorld,
  client: string,
  machine: Machine,
  { input, serializable }: DrawnOperation,
  ended: (record: OperationRecord | undefined) => void,
): void {
  const { recorder, calls } = world
  const begun = {
    type: 'operation',
    client,
    node: machine.name,
    invokedMs: recorder.nowMs,
    input,
    ...(serializable ? { serializable } : {}),
  } as const
  const finish = recorder.beginOperation({ ...begun, outcome: 'unknown', error: 'no answer' })
  calls.make<KvAnswer>(
    machine,
    (node, done) => performKv(node.services.engine, input, serializable, done),
    (answer) => {
      const record = answer.kind === 'refused' ? undefined : { ...begun, ...endOf(answer, recorder.nowMs) }
      finish(record)
      ended(record)
    },
  )
}

type OperationEnd = Pick<OperationRecord, 'outcome' | 'returnedMs' | 'error' | 'output'>

function endOf(answer: Exclude<Answer<KvAnswer>, { kind: 'refused' }>, nowMs: number): OperationEnd {
  if (answer.kind === 'lost') return { outcome: 'unknown', error: 'no answer' }
  const { value } = answer
  if (value.ok) return { outcome: 'ok', returnedMs: nowMs, output: value.output }
  return value.outcome === 'not-applied'
    ? { outcome: 'failed', returnedMs: nowMs, error: value.code }
    : { outcome: 'unknown', error: value.code }
}
