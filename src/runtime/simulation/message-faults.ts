/**
 * Faults of whole messages, for protocols whose transport lets the simulator stand between the network and the receiver.
 * A stream neither loses nor doubles bytes; a protocol over reconnecting streams must bear lost, late, doubled and
 * reordered messages all the same, and here it gets them without the cost of breaking a connection for each.
 */
import type { Incarnation, Kernel } from './kernel.ts'
import { type DelayRangeMs, SimulatedRandom } from './random.ts'

/** What happens to messages from one node to another. A late or doubled message may be overtaken by others. */
export interface MessageFaults {
  readonly dropProbability: number
  readonly delayProbability: number
  readonly delayMs: DelayRangeMs
  readonly duplicateProbability: number
  /** How long after the first delivery the second comes. */
  readonly duplicateAfterMs: DelayRangeMs
}

/** What becomes of one message. */
export type MessageFate =
  | { readonly kind: 'pass' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  /** Delivered now, and once more later. */
  | { readonly kind: 'duplicate'; readonly afterMs: number }

/** Decides a message's fate before any draw is made. `undefined` leaves it to the faults of its link. */
export type MessageRule = (message: {
  readonly from: string
  readonly to: string
  /** 1 for the first message from `from` to `to`. */
  readonly number: number
}) => MessageFate | undefined

/** Takes a message that arrived from `from`, and calls `deliver` now, later, twice or never. */
export type MessageGate = (from: string, deliver: () => void) => void

const noFaults: MessageFaults = {
  dropProbability: 0,
  delayProbability: 0,
  delayMs: [1, 100],
  duplicateProbability: 0,
  duplicateAfterMs: [0, 100],
}
const pass: MessageFate = { kind: 'pass' }

interface MessageLink {
  readonly random: SimulatedRandom
  faults: MessageFaults
  messages: number
}

export class MessageFabric {
  rule: MessageRule | undefined
  private readonly kernel: Kernel
  private readonly links = new Map<string, MessageLink>()

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  set(from: string, to: string, faults: Partial<MessageFaults>): void {
    const link = this.link(from, to)
    link.faults = { ...link.faults, ...faults }
  }

  /** Ends all faults and the rule. */
  heal(): void {
    this.rule = undefined
    for (const link of this.links.values()) link.faults = noFaults
  }

  /** The gate of one life of a node: it delivers nothing after that life, and nothing while it is stopped. */
  gate(incarnation: Incarnation): MessageGate {
    const { kernel } = this
    return (from, deliver) => {
      const to = incarnation.nodeName
      const fate = this.fateOf(from, to)
      if (fate.kind === 'pass' || fate.kind === 'duplicate') deliver()
      if (fate.kind === 'pass') return
      if (fate.kind === 'drop') {
        kernel.faults.add('message-dropped', to, `from ${from}`)
      } else if (fate.kind === 'delay') {
        kernel.faults.add('message-delayed', to, `from ${from}`)
        kernel.push(incarnation, fate.delayMs, 'net-message', deliver)
      } else {
        kernel.faults.add('message-duplicated', to, `from ${from}`)
        kernel.push(incarnation, fate.afterMs, 'net-message', deliver)
      }
    }
  }

  private fateOf(from: string, to: string): MessageFate {
    const link = this.link(from, to)
    link.messages++
    const ruled = this.rule?.({ from, to, number: link.messages })
    if (ruled !== undefined) return ruled
    const { faults, random } = link
    if (random.chance(faults.dropProbability)) return { kind: 'drop' }
    if (random.chance(faults.delayProbability)) return { kind: 'delay', delayMs: random.delayMs(faults.delayMs) }
    if (random.chance(faults.duplicateProbability)) {
      return { kind: 'duplicate', afterMs: random.delayMs(faults.duplicateAfterMs) }
    }
    return pass
  }

  private link(from: string, to: string): MessageLink {
    const key = `${from}>${to}`
    let link = this.links.get(key)
    if (link === undefined) {
      link = { random: new SimulatedRandom(this.kernel, `messages/${key}`), faults: noFaults, messages: 0 }
      this.links.set(key, link)
    }
    return link
  }
}
