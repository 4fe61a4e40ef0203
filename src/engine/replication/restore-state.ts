import type { SnapshotFiles, SnapshotReader } from '../../storage/snapshot/index.ts'
import { RestoreError, type StateMachine } from './state-machine.ts'

/**
 * Restores a state from `newest`. One that is whole and cannot be restored all the same (of a later version, or written
 * wrong) is passed over: then resolves with the reader of the one before it, at its first chunk, which the caller tries next
 * with the log that reaches back to it. Rejects with what is wrong when there is none before it.
 */
export async function restoreState(
  newest: SnapshotReader,
  files: SnapshotFiles,
  machine: StateMachine<unknown>,
  passedOver: (path: string, reason: string) => void,
): Promise<SnapshotReader | undefined> {
  try {
    await restoreFrom(newest, machine)
    return undefined
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error
    const older = (await files.openNewest(newest.meta.index)).reader
    if (older === undefined) throw error
    passedOver(newest.path, error.message)
    return older
  }
}

async function restoreFrom(reader: SnapshotReader, machine: StateMachine<unknown>): Promise<void> {
  try {
    const restorer = machine.restore()
    for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) restorer.write(chunk)
    restorer.finish()
  } finally {
    await reader.close()
  }
}
