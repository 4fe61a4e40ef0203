/**
 * A client that writes large values, so that the log grows: nodes write snapshots, and one that was away for long needs
 * one. The history holds a short name for each value; what is read at the end is compared in full.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { Seat } from './seat.ts'
import type { WorkloadWorld } from './world.ts'

export const ballastBegin = 'ballast/'
export const ballastEnd = 'ballast0'

const valueBytes = 64 * 1024
const keyCount = 16
const intervalMs = 80

/** The value that the history calls `name`. */
export function ballastValue(name: string): string {
  return `${name}:`.padEnd(valueBytes, name)
}

/** The name of a value, or undefined when the value is not whole. */
export function ballastName(value: string): string | undefined {
  const name = value.slice(0, value.indexOf(':'))
  return value === ballastValue(name) ? name : undefined
}

export async function runBallastWorker(world: WorkloadWorld, name: string, random: Prng, home: number): Promise<void> {
  const seat = new Seat(world, name, random, home)
  for (let written = 0; !world.ended.aborted; written++) {
    const key = `${ballastBegin}${random.below(keyCount)}`
    const value = `${name}-${written}`
    await seat.operate(
      { op: 'put', key, value },
      {
        kind: 'large put',
        carryOut: async (api) => ({ revision: await api.put(key, ballastValue(value), world.operationTimeoutMs) }),
      },
    )
    await delay(intervalMs * (0.5 + random.float()))
  }
  seat.close()
}
