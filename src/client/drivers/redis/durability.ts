/** What a Redis server keeps when it stops, and what it keeps when it is replaced. */
import type { Logger } from '../../../runtime/index.ts'
import type { ServerInfo } from './server-info.ts'

/** How durable what the server acknowledged is, as it said when the connection was made. */
export interface RedisDurability {
  /** Whether it writes an append-only file at all: without one, a restart loses what is newer than the last snapshot. */
  readonly appendOnly: boolean
  /** `always`: on disk before it is acknowledged. `everysec`: a crash of the machine loses about a second. */
  readonly appendFsync: 'always' | 'everysec' | 'no' | 'unknown'
  /** Replicas that are attached. They are written to later: a failover to one may lose the newest writes. */
  readonly replicas: number
  /** What of the above can lose acknowledged writes, in words; empty for a server alone with `appendfsync always`. */
  readonly risks: readonly string[]
}

/** `appendFsync` undefined: the server does not tell. */
export function durabilityOf(info: ServerInfo, appendFsync: string | undefined): RedisDurability {
  const { appendOnly, replicas } = info
  const fsync = appendFsync === 'always' || appendFsync === 'everysec' || appendFsync === 'no' ? appendFsync : 'unknown'
  const risks: string[] = []
  if (!appendOnly)
    risks.push('appendonly is off: a restart forgets locks that are held, counters and tokens since the last snapshot')
  else if (fsync === 'unknown') risks.push('the server does not tell appendfsync: a crash may lose the newest writes')
  else if (fsync !== 'always')
    risks.push(`appendfsync is ${fsync}: a crash may lose the newest writes, and locks and counts among them`)
  if (replicas > 0)
    risks.push('replicas are written to later: a failover may lose the newest writes, and give a held lock to another')
  return { appendOnly, appendFsync: fsync, replicas, risks }
}

export function warnOfRisks(logger: Logger, { risks }: RedisDurability): void {
  for (const risk of risks)
    logger.warn('Redis may lose what it acknowledged; fencing tokens protect, see docs/engines.md', { risk })
}
