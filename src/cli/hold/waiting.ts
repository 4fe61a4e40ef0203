/** Waits for what is to be held; a signal that ends the process takes the place in line back first. */
import { constants } from 'node:os'
import { CommandError } from '../output.ts'
import { notGotStatus } from './status.ts'

const ending: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

/**
 * What `acquire` gives. Undefined after SIGINT, SIGTERM or SIGHUP, with the exit status set that shells give for it. A
 * time-out becomes a CommandError that says `whenLate`.
 */
export async function waitFor<T>(
  whenLate: string,
  acquire: (signal: AbortSignal) => Promise<T>,
): Promise<T | undefined> {
  const stop = new AbortController()
  const onSignal = (name: NodeJS.Signals): void => {
    process.exitCode = 128 + constants.signals[name]
    stop.abort()
  }
  for (const name of ending) process.on(name, onSignal)
  try {
    return await acquire(stop.signal)
  } catch (error) {
    if (stop.signal.aborted) return undefined
    if ((error as { code?: unknown }).code === 'TIMEOUT') throw new CommandError(whenLate, notGotStatus)
    throw error
  } finally {
    for (const name of ending) process.removeListener(name, onSignal)
  }
}
