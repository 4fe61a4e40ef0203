/**
 * The network faults in force. Several may touch one link; each link gets the worst of what they say, so that the end of
 * one fault does not end another.
 */
import type { DelayRangeMs, LinkFaults, MessageFaults, Simulation } from '../../../runtime/simulation/index.ts'

export interface LinkRule {
  /** Whether the rule touches what goes from one machine to another. */
  readonly applies: (from: string, to: string) => boolean
  /** What befalls the bytes between them. */
  readonly faults?: Partial<LinkFaults>
  /** What befalls whole consensus messages. */
  readonly messages?: Partial<MessageFaults>
  /** Touches the links of clients in any case; other rules only where clients share the fate of the nodes. */
  readonly clients?: true
}

/** What a link without faults is set to. */
const healthy = {
  cut: false,
  lossProbability: 0,
  latencySpikeProbability: 0,
  resetProbability: 0,
  delayMs: [0.1, 0.5] as DelayRangeMs,
}
const healthyMessages = {
  dropProbability: 0,
  delayProbability: 0,
  duplicateProbability: 0,
  delayMs: [1, 100] as DelayRangeMs,
}

export class LinkRules {
  private readonly simulation: Simulation
  private readonly names: () => readonly string[]
  /** Machines of clients, which have links with nodes. */
  private clients: readonly string[] = []
  private clientsShareFate = false
  private readonly rules = new Set<LinkRule>()
  /** What each link was last set to, as text. */
  private readonly applied = new Map<string, string>()

  constructor(simulation: Simulation, names: () => readonly string[]) {
    this.simulation = simulation
    this.names = names
  }

  /** There are clients, and whether what befalls links with a node befalls theirs. */
  addClients(names: readonly string[], shareFate: boolean): void {
    this.clients = names
    this.clientsShareFate = shareFate
    this.apply()
  }

  /** Puts a rule in force; what it returns ends it. */
  add(rule: LinkRule): () => void {
    this.rules.add(rule)
    this.apply()
    return () => {
      if (this.rules.delete(rule)) this.apply()
    }
  }

  /** Ends all rules. */
  clear(): void {
    this.rules.clear()
    this.apply()
  }

  /** Must be called when a machine was added. */
  apply(): void {
    const names = this.names()
    for (const from of names) {
      for (const to of names) {
        if (from !== to) this.applyLink(from, to, this.rules)
      }
    }
    const ofClients = [...this.rules].filter((rule) => rule.clients === true || this.clientsShareFate)
    for (const client of this.clients) {
      for (const node of names) {
        this.applyLink(client, node, ofClients)
        this.applyLink(node, client, ofClients)
      }
    }
  }

  private applyLink(from: string, to: string, rules: Iterable<LinkRule>): void {
    const applying = [...rules].filter((rule) => rule.applies(from, to))
    const faults = applying.reduce((worst, rule) => worse(worst, rule.faults ?? {}), healthy)
    const messages = applying.reduce((worst, rule) => worse(worst, rule.messages ?? {}), healthyMessages)
    const key = `${from}>${to}`
    const text = JSON.stringify([faults, messages])
    if (this.applied.get(key) === text) return
    this.applied.set(key, text)
    this.simulation.setOneWayLink(from, to, faults)
    this.simulation.setMessageFaults(from, to, messages)
  }
}

type Setting = boolean | number | DelayRangeMs

/** Of each setting the worse one: true over false, the higher probability, the longer delay. */
function worse<T extends object>(a: T, b: Partial<Record<keyof T, Setting>>): T {
  const out = { ...a } as Record<keyof T, Setting>
  for (const [name, value] of Object.entries(b) as [keyof T, Setting][]) {
    const other = out[name]
    if (other === undefined || rank(value) > rank(other)) out[name] = value
  }
  return out as T
}

function rank(setting: Setting): number {
  return typeof setting === 'object' ? setting[1] : Number(setting)
}
