/**
 * Messages of the consensus core on their way to the peers.
 *
 * - O1  A message that waits for the disk leaves only after the persist it names is durable.
 * - O2  News of a commit that nobody at the peer is known to wait for leaves after `newsDelayMs` at the latest, and not at
 *       all when a message that carries the same news goes before. At low load this spares every follower a message for
 *       each write; a follower that forwarded a proposal hears of its commit at once.
 */
import type { MemberId } from '../../core/index.ts'
import type { Timer } from '../../runtime/index.ts'
import type { Algorithm } from './algorithm.ts'
import type { GroupPort } from './group-port.ts'
import { messageKind } from './message-kinds.ts'

interface WaitingSend<M> {
  readonly to: MemberId
  readonly message: M
  readonly afterPersist: number
}

/** What a peer has been told, and what somebody there waits for. */
interface PeerNews<M> {
  /** The highest commit index in a message sent to it. */
  toldCommit: number
  /** The highest index of an entry that it forwarded. */
  forwardedUpTo: number
  held: M | undefined
}

/** How long a watcher on an idle cluster's follower may hear later than on the leader, in milliseconds. */
const newsDelayMs = 1

export class Outbox<M> {
  private readonly port: GroupPort
  private readonly algorithm: Algorithm<M>
  private waiting: WaitingSend<M>[] = []
  private durablePersist = 0
  private readonly news = new Map<MemberId, PeerNews<M>>()
  private newsTimer: Timer | undefined
  private newsHeld = false

  constructor(port: GroupPort, algorithm: Algorithm<M>) {
    this.port = port
    this.algorithm = algorithm
  }

  /** Messages that wait for the disk. */
  get waitingCount(): number {
    return this.waiting.length
  }

  send(to: MemberId, message: M, afterPersist: number): void {
    if (afterPersist <= this.durablePersist) this.transmit(to, message)
    else this.waiting.push({ to, message, afterPersist })
  }

  /** Persist `id`, and all before it, are on disk. */
  onDurable(id: number): void {
    this.durablePersist = id
    let sent = 0
    while (sent < this.waiting.length && this.waiting[sent]!.afterPersist <= id) {
      const { to, message } = this.waiting[sent++]!
      this.transmit(to, message)
    }
    if (sent > 0) this.waiting.splice(0, sent)
  }

  /** `peer` forwarded an entry that is in the log at `index`: it waits to hear of its commit. */
  noteForwarded(peer: MemberId, index: number): void {
    this.newsOf(peer).forwardedUpTo = index
  }

  /** The office changed: what was held is stale, and indexes of another term mean nothing. */
  reset(): void {
    this.news.clear()
    this.newsHeld = false
    this.newsTimer?.cancel()
    this.newsTimer = undefined
  }

  private transmit(to: MemberId, message: M): void {
    const commit = this.algorithm.commitTold(message)
    if (commit === undefined) return this.write(to, message)
    const news = this.newsOf(to)
    const awaited = news.forwardedUpTo > news.toldCommit
    if (this.algorithm.isNewsOnly(message) && !awaited) {
      news.held = message
      this.scheduleNews()
      return
    }
    // A heartbeat may tell less than the news that is held: then the news is still to come.
    if (news.held !== undefined && (this.algorithm.commitTold(news.held) ?? 0) <= commit) news.held = undefined
    news.toldCommit = Math.max(news.toldCommit, commit)
    this.write(to, message)
  }

  private write(to: MemberId, message: M): void {
    this.port.send(to, messageKind.consensus, this.algorithm.encode(message))
  }

  private scheduleNews(): void {
    if (this.newsHeld) return
    this.newsHeld = true
    this.newsTimer = this.port.runtime.scheduler.setTimer(newsDelayMs, () => {
      this.newsHeld = false
      for (const [peer, news] of this.news) {
        if (news.held === undefined) continue
        this.write(peer, news.held)
        news.held = undefined
      }
    })
  }

  private newsOf(peer: MemberId): PeerNews<M> {
    let news = this.news.get(peer)
    if (news === undefined) {
      news = { toldCommit: 0, forwardedUpTo: 0, held: undefined }
      this.news.set(peer, news)
    }
    return news
  }
}
