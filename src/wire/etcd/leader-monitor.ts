import type { Scheduler, Timer } from '../../runtime/index.ts'
import type { StreamCall } from '../grpc/index.ts'
import { etcdErrors } from './errors.ts'

/** A stream is ended after this many election time-outs in a row without a leader: reconnecting costs more than waiting. */
const checksMax = 3

/** What a stream's admission depends on. */
export interface LeaderView {
  readonly hasLeader: boolean
  /** Whether this node is a learner: as in etcd, it serves no streams. */
  readonly isLearner: boolean
}

/**
 * Ends the streams whose clients asked for it (metadata `hasleader: true`) when this node has known no leader for a
 * while, so that they can go to another node.
 */
export class LeaderMonitor {
  private readonly view: LeaderView
  private readonly scheduler: Scheduler
  private readonly electionTimeoutMs: number
  private readonly streams = new Set<() => void>()
  private timer: Timer | undefined = undefined
  private checksWithout = 0

  constructor(view: LeaderView, scheduler: Scheduler, electionTimeoutMs: number) {
    this.view = view
    this.scheduler = scheduler
    this.electionTimeoutMs = electionTimeoutMs
  }

  /**
   * Takes in a stream; watches over it if it asks for a leader. `onLost` is called before it is failed. Returns false when
   * the stream was failed at once; else the function that releases it.
   */
  admit(call: StreamCall, onLost: () => void): (() => void) | false {
    if (this.view.isLearner) {
      const { status, message } = etcdErrors.NOT_SUPPORTED_FOR_LEARNER
      call.fail(status, message)
      return false
    }
    if (call.metadata('hasleader') !== 'true') return () => {}
    const { status, message } = etcdErrors.NO_LEADER_KNOWN
    if (!this.view.hasLeader) {
      call.fail(status, message)
      return false
    }
    const end = (): void => {
      onLost()
      call.fail(status, message)
    }
    this.streams.add(end)
    this.schedule()
    return () => this.streams.delete(end)
  }

  stop(): void {
    this.timer?.cancel()
    this.streams.clear()
  }

  private schedule(): void {
    if (this.timer !== undefined || this.streams.size === 0) return
    this.timer = this.scheduler.setTimer(this.electionTimeoutMs, () => {
      this.timer = undefined
      this.check()
      this.schedule()
    })
  }

  private check(): void {
    this.checksWithout = this.view.hasLeader ? 0 : this.checksWithout + 1
    if (this.checksWithout < checksMax) return
    const ending = [...this.streams]
    this.streams.clear()
    for (const end of ending) end()
  }
}
