/**
 * A client that writes each of its keys once and never again. What it was told decides what must be found at the end:
 * an acknowledged write is there, a failed one is not, whatever the search over histories can or cannot tell.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { Seat } from './seat.ts'
import type { WorkloadWorld } from './world.ts'

export const ledgerBegin = 'ledger/'
export const ledgerEnd = 'ledger0'

/** What the writers of the ledger were told of each key. */
export class Ledger {
  readonly outcomes = new Map<string, { readonly value: string; readonly outcome: 'ok' | 'failed' | 'unknown' }>()
}

export interface LedgerWorkerOptions {
  readonly name: string
  readonly random: Prng
  readonly home: number
  readonly intervalMs: number
}

export async function runLedgerWorker(
  world: WorkloadWorld,
  ledger: Ledger,
  options: LedgerWorkerOptions,
): Promise<void> {
  const { name, random, intervalMs } = options
  const seat = new Seat(world, name, random, options.home)
  for (let written = 0; !world.ended.aborted; written++) {
    const key = `${ledgerBegin}${name}/${String(written).padStart(6, '0')}`
    const value = `${name}-${written}`
    const { outcome } = await seat.operate({ op: 'put', key, value }, { kind: 'put once' })
    ledger.outcomes.set(key, { value, outcome })
    await delay(intervalMs * (0.5 + random.float()))
  }
  seat.close()
}
