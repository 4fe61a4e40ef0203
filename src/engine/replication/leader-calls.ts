/** Questions to the leader's soft state, from any node: `Group.callLeader`. One try each; the caller may ask again. */
import type { MemberId } from '../../core/index.ts'
import type { LeaderAnswer } from './group.ts'
import type { GroupPort } from './group-port.ts'
import { decodeNumber, drawFirstId, encodeNumbers, messageKind } from './message-kinds.ts'

interface OpenCall {
  readonly leader: MemberId
  readonly done: (answer: LeaderAnswer) => void
  readonly deadlineMs: number
}

export type LeaderService = (request: Uint8Array, reply: (response: Uint8Array) => void) => void

const refused = Buffer.from([0])
const accepted = Buffer.from([1])
/** Calls from one node that may be open; more are refused as overload. */
const openCallsMax = 65_536

export class LeaderCalls {
  private readonly port: GroupPort
  private readonly isLeader: () => boolean
  private readonly open = new Map<number, OpenCall>()
  /** Starts anywhere: an answer to a call of an earlier life of this node must not answer one of this life. */
  private lastId: number
  private service: LeaderService | undefined

  constructor(port: GroupPort, isLeader: () => boolean) {
    this.port = port
    this.isLeader = isLeader
    this.lastId = drawFirstId(port.runtime.random.fork('leader-calls'))
  }

  setService(service: LeaderService): void {
    this.service = service
  }

  /** Asks `leader`, which is another node. */
  ask(leader: MemberId, request: Uint8Array, deadlineMs: number, done: (answer: LeaderAnswer) => void): void {
    const refuse = (reason: 'overloaded' | 'leader-changed') =>
      this.port.runtime.scheduler.endOfTurn(() => done({ ok: false, reason, outcome: 'not-applied' }))
    if (this.open.size >= openCallsMax) return refuse('overloaded')
    if (!this.port.isConnected(leader)) return refuse('leader-changed')
    const id = ++this.lastId
    this.open.set(id, { leader, done, deadlineMs })
    this.port.send(leader, messageKind.leaderCall, [encodeNumbers(id), request])
  }

  /** Asks this node's own service. */
  askHere(request: Uint8Array, done: (answer: LeaderAnswer) => void): void {
    if (this.service === undefined) return done({ ok: false, reason: 'no-leader', outcome: 'not-applied' })
    this.service(request, (response) => done({ ok: true, response }))
  }

  onCall(from: MemberId, payload: Uint8Array): void {
    const id = decodeNumber(payload, 0)
    if (id < 0) return
    const reply = (flag: Uint8Array, response: Uint8Array) =>
      this.port.send(from, messageKind.leaderReply, [encodeNumbers(id), flag, response])
    if (!this.isLeader() || this.service === undefined) return reply(refused, Buffer.alloc(0))
    this.service(payload.subarray(8), (response) => reply(accepted, response))
  }

  onReply(from: MemberId, payload: Uint8Array): void {
    const id = decodeNumber(payload, 0)
    const call = this.open.get(id)
    if (call === undefined || call.leader !== from || payload.length < 9) return
    this.open.delete(id)
    if (payload[8] === 1) call.done({ ok: true, response: payload.subarray(9) })
    else call.done({ ok: false, reason: 'leader-changed', outcome: 'not-applied' })
  }

  /** The leader is another one now: what the former was asked has no answer. */
  onLeaderChanged(leader: MemberId): void {
    for (const [id, call] of this.open) {
      if (call.leader === leader) continue
      this.open.delete(id)
      call.done({ ok: false, reason: 'leader-changed', outcome: 'unknown' })
    }
  }

  expire(nowMs: number): void {
    for (const [id, call] of this.open) {
      if (call.deadlineMs > nowMs) break
      this.open.delete(id)
      call.done({ ok: false, reason: 'timeout', outcome: 'unknown' })
    }
  }

  stop(): void {
    for (const call of this.open.values()) call.done({ ok: false, reason: 'stopped', outcome: 'unknown' })
    this.open.clear()
  }
}
