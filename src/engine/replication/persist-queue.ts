/**
 * The path from all groups of a node to its one log on disk: everything that is asked for while a sync is under way
 * goes into the next one (group commit).
 *
 * - Q1  One append is under way at a time; the order of requests is the order on disk.
 * - Q2  `onDurable` of a request runs after everything in it is on disk, never inside `add`.
 * - Q3  After a failed append nothing more is reported durable, ever: the node must stop (design: "a failed sync is
 *       never retried").
 */
import type { Clock, Scheduler } from '../../runtime/index.ts'
import type { GroupWrite } from '../../storage/wal/index.ts'

/** The part of the write-ahead log that is needed here. */
export interface DurableLog {
  /** Resolves when all `writes` are on disk. */
  append(writes: readonly GroupWrite[]): Promise<void>
}

export interface PersistQueueHost {
  /** Runs consequences of a finished write; what they throw ends the node. */
  guard(work: () => void): void
  /** One append took so long, from its start until it was durable. */
  observe(tookMs: number): void
  /** The log failed. */
  fail(error: unknown): void
}

interface PersistRequest {
  readonly write: GroupWrite
  readonly onDurable: () => void
}

export class PersistQueue {
  private readonly log: DurableLog
  private readonly clock: Clock
  private readonly scheduler: Scheduler
  private readonly host: PersistQueueHost
  private requests: PersistRequest[] = []
  private underWay = false
  private flushScheduled = false
  private failed = false

  constructor(log: DurableLog, { clock, scheduler }: { clock: Clock; scheduler: Scheduler }, host: PersistQueueHost) {
    this.log = log
    this.clock = clock
    this.scheduler = scheduler
    this.host = host
  }

  add(write: GroupWrite, onDurable: () => void): void {
    this.requests.push({ write, onDurable })
    if (this.flushScheduled || this.underWay) return
    this.flushScheduled = true
    this.scheduler.endOfTurn(this.flush)
  }

  private readonly flush = (): void => {
    this.flushScheduled = false
    if (this.underWay || this.failed || this.requests.length === 0) return
    const requests = this.requests
    this.requests = []
    this.underWay = true
    const startMs = this.clock.monotonicMs()
    this.log.append(mergeWrites(requests)).then(
      () => {
        this.underWay = false
        this.host.observe(this.clock.monotonicMs() - startMs)
        // The next batch goes to the disk before this one's consequences are worked out.
        this.flush()
        this.host.guard(() => {
          for (const request of requests) request.onDurable()
        })
      },
      (error: unknown) => {
        this.failed = true
        this.host.fail(error)
      },
    )
  }
}

/** One write a group, where the log's rules allow it: consecutive entries join, and the newest hard state stands for all. */
function mergeWrites(requests: readonly PersistRequest[]): GroupWrite[] {
  if (requests.length === 1) return [requests[0]!.write]
  const merged = new Map<number, GroupWrite[]>()
  for (const { write } of requests) {
    const writes = merged.get(write.group)
    const last = writes?.at(-1)
    if (writes === undefined || last === undefined) merged.set(write.group, [write])
    else if (write.restartAfter !== undefined) writes.push(write)
    else
      writes[writes.length - 1] = {
        ...last,
        entries: last.entries.length === 0 ? write.entries : last.entries.concat(write.entries),
        hardState: write.hardState ?? last.hardState,
      }
  }
  return [...merged.values()].flat()
}
