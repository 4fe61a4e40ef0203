/**
 * How long a Raft cluster is without a leader after its leader dies, against the range that election time-outs are drawn
 * from: the experiment of figure 16 of the Raft paper (extended version, §9.3), on the real core in simulated time.
 *
 * As there: five servers; a broadcast (send to all, write to disk, hear the answers) takes about 15 ms; heartbeats go out
 * at half the least time-out; the leader dies at a moment drawn uniformly between two heartbeats, right after it has sent
 * heartbeats; logs differ in length, so that not every server is eligible. What Synod adds to the paper is off: pre-votes,
 * sticky voters, and elections begun by a broken connection.
 */
import { Prng } from '../../base/index.ts'
import type { CoreEffect, Entry, MemberId } from '../../core/index.ts'
import { Raft, type RaftMessage } from '../../core/raft/index.ts'
import { EventQueue } from './event-queue.ts'

/** A range of election time-outs, in milliseconds. */
export interface TimeoutRange {
  readonly minMs: number
  readonly maxMs: number
}

export interface DowntimeTrial extends TimeoutRange {
  readonly seed: string
}

/** Past this a trial ends without a leader, as the paper's plot does at 100 s. */
export const downtimeMsMax = 100_000

const serverCount = 5
/**
 * The paper gives only the sum, about 15 ms. How it divides matters: between the disk write of a candidate and the arrival
 * of its request another candidate may begin. A request that takes little and an answer that takes long come close to
 * what the paper measured.
 */
const requestMs = { min: 0.2, max: 1 }
const answerMs = { min: 8, max: 12 }
const diskMs = { min: 1, max: 3 }

/** Runs one trial; the result is in milliseconds, at most {@link downtimeMsMax}. */
export function electionDowntimeMs(trial: DowntimeTrial): number {
  return new Trial(trial).run()
}

interface Server {
  readonly id: MemberId
  readonly core: Raft
  /** Effects of the step under way. */
  effects: CoreEffect<RaftMessage>[]
  /** Messages that wait for a persist. */
  waiting: Extract<CoreEffect<RaftMessage>, { type: 'send' }>[]
  durable: number
  alive: boolean
}

class Trial {
  private readonly prng: Prng
  private readonly events = new EventQueue()
  private readonly servers: Server[]
  private readonly range: TimeoutRange
  private newLeaderAtMs = -1
  private crashedAtMs = -1

  constructor({ seed, ...range }: DowntimeTrial) {
    this.prng = new Prng(`figure-16/${seed}`)
    this.range = range
    this.servers = Array.from({ length: serverCount }, (_, i) => this.createServer(BigInt(i + 1)))
  }

  run(): number {
    for (const server of this.servers) this.scheduleTick(server, this.prng.float())
    const leader = this.electFirstLeader()
    this.crashLeader(leader)
    while (this.newLeaderAtMs < 0 && this.events.nowMs - this.crashedAtMs < downtimeMsMax) this.events.step()
    return this.newLeaderAtMs < 0 ? downtimeMsMax : this.newLeaderAtMs - this.crashedAtMs
  }

  /** Server 1 holds the longest log; the others lack some of its end, so one or two cannot win (Raft §5.4.1). */
  private createServer(id: MemberId): Server {
    const length = id === 1n ? 6 : 3 + this.prng.below(3)
    const entries: Entry[] = Array.from({ length }, (_, i) => ({
      index: i + 1,
      term: 1,
      kind: 'noop',
      payload: new Uint8Array(0),
    }))
    const effects: CoreEffect<RaftMessage>[] = []
    const voters = Array.from({ length: serverCount }, (_, i) => BigInt(i + 1))
    const timeoutTicks = Math.round(this.range.minMs)
    const server: Server = {
      id,
      core: new Raft({
        id,
        restore: {
          hardState: { term: 1, votedFor: 0n },
          snapshot: { index: 0, term: 0, configuration: { voters, outgoing: [], learners: [] } },
          entries,
        },
        sink: (effect) => server.effects.push(effect),
        // The core draws time-outs from [t, 2t): this host answers with draws from the range of the trial instead.
        random: (bound) =>
          bound === timeoutTicks
            ? this.prng.below(Math.max(1, this.range.maxMs - this.range.minMs + 1))
            : this.prng.below(bound),
        options: {
          electionTimeoutTicks: timeoutTicks,
          heartbeatTicks: Math.max(1, Math.floor(timeoutTicks / 2)),
          preVote: false,
          checkQuorum: false,
          quickElection: {
            connectionLostDelayTicks: { min: 1, max: 1 },
            retryTicks: { min: 1, max: 1 },
            attemptsMax: 0,
          },
        },
      }),
      effects,
      waiting: [],
      durable: 0,
      alive: true,
    }
    return server
  }

  /** Server 1 campaigns first; with very short time-outs another may come to lead all the same. */
  private electFirstLeader(): Server {
    const first = this.servers[0]!
    const ticks = 2 * Math.round(this.range.maxMs)
    for (let i = 0; i < ticks && first.core.status().role === 'follower'; i++) this.step(first, { type: 'tick' })
    for (;;) {
      const leader = this.servers.find((server) => server.core.status().role === 'leader')
      if (leader !== undefined && this.isFollowedByAll(leader)) return leader
      this.events.step()
    }
  }

  private isFollowedByAll(leader: Server): boolean {
    return this.servers.every((server) => server.core.status().leader === leader.id)
  }

  /** At a moment drawn from one interval between heartbeats: whatever it has sent arrives, then silence. */
  private crashLeader(leader: Server): void {
    const intervalMs = Math.max(1, Math.floor(this.range.minMs / 2))
    const untilMs = this.events.nowMs + intervalMs + this.prng.float() * intervalMs
    while (this.events.nowMs < untilMs) this.events.step()
    // The leader keeps its followers' logs unequal: what it appended last reached only some of them.
    leader.alive = false
    this.crashedAtMs = this.events.nowMs
  }

  private scheduleTick(server: Server, delayMs: number): void {
    this.events.after(delayMs, () => {
      this.step(server, { type: 'tick' })
      this.scheduleTick(server, 1)
    })
  }

  private step(server: Server, event: Parameters<Raft['step']>[0]): void {
    if (!server.alive) return
    server.core.step(event)
    const { effects } = server
    server.effects = []
    for (const effect of effects) this.carryOut(server, effect)
  }

  private carryOut(server: Server, effect: CoreEffect<RaftMessage>): void {
    switch (effect.type) {
      case 'persist':
        this.events.after(this.draw(diskMs), () => {
          server.durable = Math.max(server.durable, effect.id)
          const ready = server.waiting.filter((send) => send.afterPersist <= server.durable)
          server.waiting = server.waiting.filter((send) => send.afterPersist > server.durable)
          for (const send of ready) this.send(server, send.to, send.message)
          this.step(server, { type: 'persisted', id: effect.id })
        })
        return
      case 'send':
        if (effect.afterPersist > server.durable) server.waiting.push(effect)
        else this.send(server, effect.to, effect.message)
        return
      case 'status':
        if (effect.role === 'leader' && this.crashedAtMs >= 0 && this.newLeaderAtMs < 0)
          this.newLeaderAtMs = this.events.nowMs
        return
      default:
        return
    }
  }

  private send(from: Server, to: MemberId, message: RaftMessage): void {
    if (!from.alive) return
    this.events.after(this.draw(message.type.endsWith('Response') ? answerMs : requestMs), () => {
      const receiver = this.servers.find((server) => server.id === to)
      if (receiver !== undefined) this.step(receiver, { type: 'message', from: from.id, message })
    })
  }

  private draw({ min, max }: { readonly min: number; readonly max: number }): number {
    return min + this.prng.float() * (max - min)
  }
}
