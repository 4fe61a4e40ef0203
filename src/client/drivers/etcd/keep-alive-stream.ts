/**
 * The stream of keep-alives on one connection.
 *
 * - K1  Answers to a lease's keep-alives are matched with its questions in the order in which these were sent. When k have
 *       been answered, one that was sent no earlier than the k-th was among them: an answer never counts from later than
 *       it may.
 */
import { decodeLeaseTime, encodeLeaseIdRequest, etcdPaths } from '../../../wire/etcd-client/index.ts'
import type { ClientStreamingCall, StreamEnd } from '../../../wire/grpc-client/index.ts'
import type { LeaseId } from '../../driver/index.ts'
import type { Endpoint } from './endpoint.ts'

/** What one keep-alive comes to. */
export interface KeepAliveSink {
  /** `ttlSeconds` 0 or less: there is no such lease. */
  onAnswer(ttlSeconds: number, sentAtMs: number): void
  onEnd(end: Pick<StreamEnd, 'status' | 'message' | 'origin' | 'processed'>): void
}

interface Asked {
  readonly sink: KeepAliveSink
  readonly sentAtMs: number
}

const noAnswer = {
  status: 13,
  message: 'it answered a keep-alive with something that is none',
  origin: 'local',
  processed: true,
} as const

export class KeepAliveStream {
  readonly endpoint: Endpoint
  ended = false
  private readonly call: ClientStreamingCall
  private readonly asked = new Map<LeaseId, Asked[]>()
  private readonly onEnded: () => void

  constructor(endpoint: Endpoint, metadata: readonly (readonly [string, string])[], onEnded: () => void) {
    this.endpoint = endpoint
    this.onEnded = onEnded
    this.call = endpoint.channel.stream(
      etcdPaths.leaseKeepAlive,
      { metadata },
      { onMessage: (bytes) => this.receive(bytes), onEnd: (end) => this.end(end) },
    )
  }

  ask(leaseId: LeaseId, sink: KeepAliveSink): void {
    const sentAtMs = this.call.send(encodeLeaseIdRequest(leaseId))
    const asked = this.asked.get(leaseId)
    if (asked === undefined) this.asked.set(leaseId, [{ sink, sentAtMs }])
    else asked.push({ sink, sentAtMs })
  }

  close(): void {
    this.call.cancel()
  }

  private receive(bytes: Uint8Array): void {
    const answer = decodeLeaseTime(bytes)
    if (answer === undefined) {
      this.call.cancel()
      this.end(noAnswer)
      return
    }
    const asked = this.asked.get(answer.leaseId)
    const first = asked?.shift()
    if (asked?.length === 0) this.asked.delete(answer.leaseId)
    first?.sink.onAnswer(answer.ttlSeconds, first.sentAtMs)
  }

  private end(end: Pick<StreamEnd, 'status' | 'message' | 'origin' | 'processed'>): void {
    if (this.ended) return
    this.ended = true
    this.onEnded()
    for (const asked of this.asked.values()) for (const { sink } of asked) sink.onEnd(end)
    this.asked.clear()
  }
}
