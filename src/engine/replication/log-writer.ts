/**
 * What a group's core wants on disk, on its way to the node's log.
 *
 * - W1  Mode `log`: after a snapshot from the leader took the place of the log in memory, the log on disk begins anew at the core's
 *       stand-in entry, so that what it held before can never be joined with what follows (see `Wal`, `restartAfter`).
 * - W2  Mode `slots`: entries are written as they come, in any order. Nothing on disk becomes void.
 */
import type { CoreEffect, CoreRestore, Entry } from '../../core/index.ts'
import type { GroupPort } from './group-port.ts'

type PersistEffect = Extract<CoreEffect<never>, { readonly type: 'persist' }>

export class LogWriter {
  /** Bytes of entries handed to the disk and not durable yet. */
  undurableBytes = 0
  private readonly port: GroupPort
  private readonly mode: 'log' | 'slots'
  /** Mode `log`: where the log on disk goes on. */
  private nextIndex: number
  /** Mode `log`: a snapshot from the leader was restored at this index, and its stand-in is not written yet; 0 for none. */
  private restoredIndex = 0

  constructor(port: GroupPort, mode: 'log' | 'slots', restore: CoreRestore) {
    this.port = port
    this.mode = mode
    // Without entries, where the log on disk ends is not known here: the first write says where it begins anew.
    const lastOnDisk = restore.entries.at(-1)?.index
    this.nextIndex = lastOnDisk !== undefined ? lastOnDisk + 1 : restore.snapshot.index === 0 ? 1 : 0
  }

  write({ entries, hardState }: PersistEffect, onDurable: () => void): void {
    const { mode } = this
    const restartAfter = mode === 'log' && entries.length > 0 ? this.restartBefore(entries) : undefined
    let bytes = 0
    for (const entry of entries) bytes += entry.payload.length
    this.undurableBytes += bytes
    this.port.persist({ mode, entries, hardState, restartAfter }, () => {
      this.undurableBytes -= bytes
      onDurable()
    })
  }

  /** A snapshot from the leader is in place. Call before the core is told. */
  onRestored(index: number): void {
    this.restoredIndex = index
  }

  /** Where the log on disk begins anew with `entries`, if it does. */
  private restartBefore(entries: readonly Entry[]): number | undefined {
    const first = entries[0]!.index
    const restarts = first > this.nextIndex || first === this.restoredIndex
    this.restoredIndex = 0
    this.nextIndex = entries.at(-1)!.index + 1
    return restarts ? first - 1 : undefined
  }
}
