import {
  type CoreEffect,
  type CoreEvent,
  type CoreRestore,
  type Entry,
  type MemberId,
  noMember,
} from '../../replicated-log.ts'
import type { PaxosMessage, PromiseMessage } from '../message.ts'
import type { PaxosOptions } from '../options.ts'
import { Paxos } from '../paxos.ts'
import type { Slot } from '../slot-log.ts'
import { type ChosenClaim, encodeRecords } from '../slot-record.ts'

/** One core on a bench: events in by hand, the exact effects out. Member 1 of three unless told otherwise. */
export class Bench {
  readonly paxos: Paxos
  private effects: CoreEffect<PaxosMessage>[] = []
  private lastPersistId = 0

  constructor(
    setup: {
      restore?: Partial<CoreRestore>
      id?: MemberId
      voters?: readonly MemberId[]
      learners?: readonly MemberId[]
      options?: Partial<PaxosOptions>
    } = {},
  ) {
    const configuration = { voters: setup.voters ?? [1n, 2n, 3n], outgoing: [], learners: setup.learners ?? [] }
    this.paxos = new Paxos({
      id: setup.id ?? 1n,
      restore: {
        hardState: { term: 0, votedFor: noMember },
        snapshot: { index: 0, term: 0, configuration },
        entries: [],
        ...setup.restore,
      },
      sink: (effect) => {
        this.effects.push(effect)
        if (effect.type === 'persist') this.lastPersistId = effect.id
      },
      random: () => 0,
      options: { heartbeatTicks: 1, electionTimeoutTicks: 10, ...setup.options },
    })
    this.paxos.validate()
  }

  step(event: CoreEvent<PaxosMessage>): CoreEffect<PaxosMessage>[] {
    this.paxos.step(event)
    this.paxos.validate()
    return this.take()
  }

  hear(from: MemberId, message: PaxosMessage): CoreEffect<PaxosMessage>[] {
    return this.step({ type: 'message', from, message })
  }

  propose(...payloads: string[]): CoreEffect<PaxosMessage>[] {
    this.paxos.propose(payloads.map((payload) => Buffer.from(payload)))
    this.paxos.validate()
    return this.take()
  }

  changeMembers(voters: readonly MemberId[], learners: readonly MemberId[] = []): CoreEffect<PaxosMessage>[] {
    this.paxos.proposeConfiguration({ voters, learners })
    this.paxos.validate()
    return this.take()
  }

  tick(count: number): CoreEffect<PaxosMessage>[] {
    return Array.from({ length: count }, () => this.step({ type: 'tick' })).flat()
  }

  /** Everything issued so far is durable. */
  persisted(): CoreEffect<PaxosMessage>[] {
    return this.step({ type: 'persisted', id: this.lastPersistId })
  }

  /** Prepares a round, its own promise durable: no other has been heard. */
  campaign(): number {
    this.tick(10)
    if (this.paxos.status().role === 'pre-candidate') {
      const round = this.paxos.status().term + 1
      for (const voter of [2n, 3n]) this.hear(voter, { type: 'preVoteResponse', round, granted: true })
    }
    this.persisted()
    return this.paxos.status().term
  }

  /** Leads by the promise of 2, whose acceptor is empty; the opening value is not durable anywhere yet. */
  lead(): CoreEffect<PaxosMessage>[] {
    const round = this.campaign()
    return this.hear(2n, promise(round, 1, []))
  }

  /** Answers accepts of the current round: everything up to `through`. */
  acknowledge(from: MemberId, through: number): CoreEffect<PaxosMessage>[] {
    const { term: round } = this.paxos.status()
    return this.hear(from, { type: 'accepted', round, firstSlot: through + 1, lastSlot: through, throughSlot: through })
  }

  private take(): CoreEffect<PaxosMessage>[] {
    const effects = this.effects
    this.effects = []
    return effects
  }
}

/** The messages among `effects`, of one type. */
export function sent<T extends PaxosMessage['type']>(
  effects: readonly CoreEffect<PaxosMessage>[],
  type: T,
): { to: MemberId; message: Extract<PaxosMessage, { type: T }>; afterPersist: number }[] {
  return effects.flatMap((effect) => {
    if (effect.type !== 'send' || effect.message.type !== type) return []
    const message = effect.message as Extract<PaxosMessage, { type: T }>
    return [{ to: effect.to, message, afterPersist: effect.afterPersist }]
  })
}

/** The effects of one type. */
export function only<T extends CoreEffect<PaxosMessage>['type']>(
  effects: readonly CoreEffect<PaxosMessage>[],
  type: T,
): Extract<CoreEffect<PaxosMessage>, { type: T }>[] {
  return effects.filter((effect): effect is Extract<CoreEffect<PaxosMessage>, { type: T }> => effect.type === type)
}

/** A slot accepted in `ballot`, whose value was proposed first in `term`. */
export function slot(index: number, text: string, ballot: number, term = ballot): Slot {
  return { ballot, value: { index, term, kind: 'command', payload: Buffer.from(text) } }
}

/** What a disk holds of these. */
export function records(slots: readonly Slot[], claim: ChosenClaim = { chosenAfter: 0, chosenThrough: 0 }): Entry[] {
  return encodeRecords(slots, claim)
}

/** A whole report, or its first page. */
export function promise(
  round: number,
  fromSlot: number,
  slots: readonly Slot[],
  more: Partial<PromiseMessage> = {},
): PromiseMessage {
  const nextSlot = Math.max(fromSlot, ...slots.map(({ value }) => value.index + 1))
  return { type: 'promise', round, granted: true, fromSlot, nextSlot, complete: true, chosenIndex: 0, slots, ...more }
}

/** Values in slots from `firstSlot`, proposed first in `round`. */
export function accept(round: number, firstSlot: number, texts: readonly string[], chosenIndex = 0): PaxosMessage {
  const entries = texts.map((text, i) => slot(firstSlot + i, text, round).value)
  return { type: 'accept', round, firstSlot, chosenIndex, entries }
}

export function prepare(round: number, fromSlot: number, transfer = false): PaxosMessage {
  return { type: 'prepare', round, fromSlot, transfer, lostLeader: noMember }
}

/** The values of a core's slots, as text; `-` for gaps. */
export function texts(paxos: Paxos): string[] {
  const { firstIndex, lastIndex } = paxos.status()
  return Array.from({ length: lastIndex - firstIndex + 1 }, (_, i) => {
    if (paxos.slotAt(firstIndex + i) === undefined) return '-'
    const [entry] = paxos.entries(firstIndex + i, firstIndex + i) as [Entry]
    return entry.kind === 'command' ? Buffer.from(entry.payload).toString() : entry.kind
  })
}
