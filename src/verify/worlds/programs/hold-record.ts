import type { LockRecord } from '../../history/index.ts'
import { driftBoundPpm } from '../faults/clock-faults.ts'
import type { ProgramWorld } from './activity.ts'
import type { ClientLife } from './client-machine.ts'

/** How often the holder's own view is looked at, in true time. */
const lookEveryMs = 20

/** What holders of all kinds of locks can tell. */
interface Holder {
  readonly signal: AbortSignal
  remainingMs(): number
}

/**
 * Follows what a holder takes itself for, and records it when it is over: by its signal, by its clock, by a crash, or by
 * what this returns. The clock of a process that stands still goes on: what it would say if asked is what counts.
 */
export function recordHold(
  world: ProgramWorld,
  life: ClientLife,
  holder: Holder,
  grant: Pick<LockRecord, 'lock' | 'token' | 'shared'>,
): () => void {
  const { simulation, recorder } = world
  const fromMs = recorder.nowMs
  /** When its time runs out, in true time, by what it said last. */
  let lastsUntilMs = fromMs
  let over = false
  const end = (): void => {
    if (over) return
    over = true
    life.onEnd.delete(end)
    holder.signal.removeEventListener('abort', end)
    recorder.add({
      type: 'lock',
      holder: `${life.name}/${fromMs.toFixed(3)}`,
      ...grant,
      fromMs,
      untilMs: Math.min(recorder.nowMs, lastsUntilMs),
      ...(world.driftPpm > driftBoundPpm ? { outsideBound: true } : {}),
    })
  }
  const look = (): void => {
    if (over) return
    const remainingMs = holder.remainingMs()
    if (remainingMs <= 0) return end()
    lastsUntilMs = recorder.nowMs + life.machine.trueMs(remainingMs)
    simulation.after(lookEveryMs, look)
  }
  recorder.count(`held ${grant.lock.split('/')[0]}`)
  life.onEnd.add(end)
  holder.signal.addEventListener('abort', end, { once: true })
  look()
  return end
}
