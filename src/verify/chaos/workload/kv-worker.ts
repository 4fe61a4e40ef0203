/** Clients that read and write hot keys, in every way that the histories know. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import type { KvInput, KvOutput } from '../../history/index.ts'
import type { KeyGroup, KeySpace } from './key-space.ts'
import { Seat } from './seat.ts'
import type { WorkloadWorld } from './world.ts'

type Kind = 'get' | 'serializable' | 'range' | 'put' | 'delete' | 'cas' | 'txn'

/** Parts of a hundred. */
const mix: readonly (readonly [Kind, number])[] = [
  ['get', 24],
  ['serializable', 10],
  ['range', 6],
  ['put', 22],
  ['delete', 6],
  ['cas', 20],
  ['txn', 12],
]

export interface KvWorkerOptions {
  readonly name: string
  readonly random: Prng
  readonly home: number
  /** Mean time between the beginnings of two operations, in milliseconds. */
  readonly intervalMs: number
}

/** Runs one client until the workload ends. */
export async function runKvWorker(world: WorkloadWorld, keys: KeySpace, options: KvWorkerOptions): Promise<void> {
  const { name, random, intervalMs } = options
  const seat = new Seat(world, name, random, options.home)
  let written = 0
  let nextMs = world.recorder.nowMs()
  while (!world.ended.aborted) {
    const kind = drawKind(random)
    const group = keys.take()
    const value = `${name}-${written++}`
    const input = inputOf(kind, group, value, keys, random)
    const serializable = kind === 'serializable'
    const { output } = await seat.operate(input, { serializable, kind: serializable ? 'stale get' : input.op })
    if (output !== undefined && !serializable) learn(keys, input, output)
    // A client that waited long does not hurry to catch up.
    nextMs = Math.max(nextMs + intervalMs * (0.5 + random.float()), world.recorder.nowMs())
    const waitMs = nextMs - world.recorder.nowMs()
    if (waitMs > 0) await delay(waitMs)
  }
  seat.close()
}

function drawKind(random: Prng): Kind {
  let draw = random.below(100)
  for (const [kind, parts] of mix) {
    if (draw < parts) return kind
    draw -= parts
  }
  return 'get'
}

function inputOf(kind: Kind, group: KeyGroup, value: string, keys: KeySpace, random: Prng): KvInput {
  const at = random.below(group.keys.length)
  const key = group.keys[at]!
  const other = group.keys[(at + 1) % group.keys.length]!
  switch (kind) {
    case 'get':
    case 'serializable':
      return { op: 'get', key }
    case 'range':
      return { op: 'range', key: group.begin, end: group.end }
    case 'put':
      return { op: 'put', key, value }
    case 'delete':
      return { op: 'delete', key }
    case 'cas':
      return { op: 'cas', key, expected: keys.lastSeen(key)?.value ?? null, value }
    case 'txn':
      return {
        op: 'txn',
        compares: [{ key, target: 'modRevision', relation: '=', operand: keys.lastSeen(key)?.modRevision ?? 0 }],
        success: [
          { op: 'put', key, value },
          random.below(4) === 0 ? { op: 'delete', key: other } : { op: 'put', key: other, value },
        ],
        failure: [
          { op: 'get', key },
          { op: 'get', key: other },
        ],
      }
  }
}

/** Keeps what the reply showed, as a guess for later conditions. A wrong guess only makes a condition fail. */
function learn(keys: KeySpace, input: KvInput, output: KvOutput): void {
  const modRevision = output.revision ?? 0
  if (input.op === 'get') keys.note(input.key, output.entries?.[0])
  else if (input.op === 'range') for (const entry of output.entries ?? []) keys.note(entry.key, entry)
  else if (input.op === 'delete') keys.note(input.key, undefined)
  else if (input.op === 'put' || (input.op === 'cas' && output.succeeded === true))
    keys.note(input.key, { key: input.key, value: input.value, modRevision })
  else if (input.op === 'txn') learnFromTxn(keys, input, output, modRevision)
}

function learnFromTxn(
  keys: KeySpace,
  input: Extract<KvInput, { op: 'txn' }>,
  output: KvOutput,
  modRevision: number,
): void {
  const steps = output.succeeded === true ? input.success : input.failure
  for (const [at, step] of steps.entries()) {
    if (step.op === 'get') keys.note(step.key, output.steps?.[at]?.entries?.[0])
    else if (step.op === 'put') keys.note(step.key, { key: step.key, value: step.value, modRevision })
    else keys.note(step.key, undefined)
  }
}
