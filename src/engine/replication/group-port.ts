import type { MemberId } from '../../core/index.ts'
import type { Runtime } from '../../runtime/index.ts'
import type { GroupWrite } from '../../storage/wal/index.ts'

/** What a group needs of the node that hosts it. */
export interface GroupPort {
  readonly runtime: Runtime
  send(to: MemberId, kind: number, payload: readonly Uint8Array[]): void
  /** Whether what is sent to `peer` now has a connection to go by. */
  isConnected(peer: MemberId): boolean
  /** Writes to the node's log; `onDurable` runs when it is on disk. */
  persist(write: Omit<GroupWrite, 'group'>, onDurable: () => void): void
  /** Entries up to `index` are not needed for a restart any more. */
  release(index: number): void
  /** Runs work that the loop began; what it throws ends the node. Nothing runs once the node has stopped. */
  guard(work: () => void): void
}
