/**
 * Takes in a snapshot streamed by the leader: to disk and, at the same time, into a new state that replaces the present
 * one at the end.
 *
 * - V1  The order at the end is: file durable, state in place, then the core is told. A crash in between restarts from
 *       the old state or from the new file, both whole.
 * - V2  A second offer from whomever ends the first transfer.
 * - V3  A disk without room, a damaged stream or a lost leader ends the transfer; nothing of it stays.
 * - V4  A chunk that is missing or out of turn is damage: the image could be whole in form without it.
 */
import type { MemberId, SnapshotMeta } from '../../core/index.ts'
import type { SnapshotFiles, SnapshotWriter } from '../../storage/snapshot/index.ts'
import type { GroupPort } from './group-port.ts'
import { decodeNumber, encodeNumbers, messageKind } from './message-kinds.ts'
import type { StateMachine, StateRestorer } from './state-machine.ts'

interface Reception {
  readonly id: number
  readonly from: MemberId
  readonly meta: SnapshotMeta
  readonly restorer: StateRestorer
  /** Chunks arrive faster than the disk takes them; this chain keeps their order. */
  work: Promise<void>
  writer: SnapshotWriter | undefined
  /** Chunks that came, and those of them that are taken in. */
  receivedChunks: number
  takenChunks: number
}

export interface SnapshotReceiverEvents {
  /** False when the node's own state has overtaken the snapshot meanwhile. */
  wanted(from: MemberId, meta: SnapshotMeta): boolean
  /** Called in the turn in which the state was replaced. */
  restored(meta: SnapshotMeta): void
}

export class SnapshotReceiver {
  private readonly port: GroupPort
  private readonly files: SnapshotFiles
  private readonly machine: StateMachine<unknown>
  private readonly events: SnapshotReceiverEvents
  private reception: Reception | undefined
  /** Ends when the transfer abandoned last has removed its file. */
  private leftover: Promise<void> = Promise.resolve()

  constructor(port: GroupPort, files: SnapshotFiles, machine: StateMachine<unknown>, events: SnapshotReceiverEvents) {
    this.port = port
    this.files = files
    this.machine = machine
    this.events = events
  }

  get busy(): boolean {
    return this.reception !== undefined
  }

  begin(from: MemberId, id: number, meta: SnapshotMeta): void {
    this.abandon()
    const reception: Reception = {
      id,
      from,
      meta,
      restorer: this.machine.restore(),
      work: Promise.resolve(),
      writer: undefined,
      receivedChunks: 0,
      takenChunks: 0,
    }
    this.reception = reception
    this.port.runtime.logger.info('receiving a snapshot', { index: meta.index, from: from.toString(16) })
    this.chain(reception, async () => {
      reception.writer = await this.files.create(meta)
    })
  }

  /** Turns an offer down. */
  refuse(from: MemberId, id: number): void {
    this.answer(from, id, false)
  }

  onChunk(from: MemberId, payload: Uint8Array): void {
    const reception = this.match(from, payload)
    if (reception === undefined) return
    if (decodeNumber(payload, 8) !== ++reception.receivedChunks) return this.giveUp('a chunk is missing')
    const chunk = payload.subarray(16)
    this.chain(reception, async () => {
      reception.restorer.write(chunk)
      await reception.writer?.write(chunk)
      if (this.reception !== reception) return
      reception.takenChunks++
      this.port.send(from, messageKind.snapshotAck, [encodeNumbers(reception.id, reception.takenChunks)])
    })
  }

  onEnd(from: MemberId, payload: Uint8Array): void {
    const reception = this.match(from, payload)
    if (reception === undefined) return
    if (decodeNumber(payload, 8) !== reception.receivedChunks) return this.giveUp('the last chunk is missing')
    this.chain(reception, async () => {
      await reception.writer?.finish()
      reception.writer = undefined
      if (this.reception !== reception) return
      this.reception = undefined
      // The file has its name by now: from here on there is no way back, and what goes wrong ends the node.
      this.port.guard(() => {
        if (this.events.wanted(from, reception.meta)) {
          reception.restorer.finish()
          this.events.restored(reception.meta)
        }
        this.answer(from, reception.id, true)
      })
    })
  }

  /** Whom this node follows. A transfer from another ends, and its sender is told. */
  onLeader(leader: MemberId): void {
    if (this.reception !== undefined && this.reception.from !== leader) this.giveUp('its sender leads no more')
  }

  /** Drops the transfer under way, if any. */
  abandon(): void {
    const reception = this.reception
    if (reception === undefined) return
    this.reception = undefined
    this.leftover = reception.work.then(() => reception.writer?.abort()).catch(() => {})
  }

  /** Resolves when nothing of an abandoned transfer is under way any more. */
  settled(): Promise<void> {
    return this.leftover
  }

  private giveUp(reason: string): void {
    const reception = this.reception
    if (reception === undefined) return
    this.port.runtime.logger.warn('could not take in a snapshot', { reason })
    this.abandon()
    this.answer(reception.from, reception.id, false)
  }

  private match(from: MemberId, payload: Uint8Array): Reception | undefined {
    const reception = this.reception
    return reception?.from === from && decodeNumber(payload, 0) === reception.id ? reception : undefined
  }

  private chain(reception: Reception, step: () => Promise<void>): void {
    reception.work = reception.work.then(async () => {
      if (this.reception !== reception) return
      try {
        await step()
      } catch (error) {
        if (this.reception === reception) this.giveUp(String(error))
      }
    })
  }

  private answer(to: MemberId, id: number, ok: boolean): void {
    this.port.send(to, messageKind.snapshotResult, [encodeNumbers(id), Buffer.from([ok ? 1 : 0])])
  }
}
