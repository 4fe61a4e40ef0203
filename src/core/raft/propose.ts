import { type Entry, noMember, type ProposeResult } from '../replicated-log.ts'
import { entryBytes } from './raft-log.ts'
import type { RaftState } from './raft-state.ts'

/**
 * Leader: appends commands (Raft §5.3). The step's end persists and sends them. However large, one call is admitted while
 * nothing is uncommitted; else `maxUncommittedBytes` bounds what a lost quorum can pile up.
 */
export function proposeCommands(raft: RaftState, payloads: readonly Uint8Array[]): ProposeResult {
  const { leader, term, log } = raft
  if (raft.role !== 'leader') return { ok: false, reason: 'not-leader', leader }
  if (raft.transferee !== noMember) return { ok: false, reason: 'transferring', leader }
  const firstIndex = log.lastIndex + 1
  const entries: Entry[] = []
  let proposedBytes = 0
  for (let i = 0; i < payloads.length; i++) {
    const entry: Entry = { index: firstIndex + i, term, kind: 'command', payload: payloads[i] as Uint8Array }
    entries.push(entry)
    proposedBytes += entryBytes(entry)
  }
  const isFull = raft.uncommittedBytes + proposedBytes > raft.options.maxUncommittedBytes
  if (raft.uncommittedBytes > 0 && isFull) return { ok: false, reason: 'full', leader }
  raft.append(entries)
  raft.uncommittedBytes += proposedBytes
  return { ok: true, term, firstIndex }
}
