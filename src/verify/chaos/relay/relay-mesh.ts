/**
 * The network between the nodes: a relay before each node, and a rule for each ordered pair of nodes. Faults lay rules
 * over directions and take them away; where several lie on one direction, the worst of each holds.
 */
import { combineRules, type Direction, type LinkRule, openLink } from './link-rule.ts'
import { PeerRelay } from './peer-relay.ts'

/** A rule that lies on some directions, until it is lifted. */
export interface LaidRule {
  readonly lift: () => void
}

export class RelayMesh {
  private readonly relays = new Map<string, PeerRelay>()
  private readonly names = new Map<string, string>()
  private readonly laid = new Set<{ readonly directions: readonly Direction[]; readonly rule: LinkRule }>()
  /** What is in force, by `from>to`; absent: open. */
  private readonly inForce = new Map<string, LinkRule>()
  private readonly draw: () => number

  constructor(draw: () => number) {
    this.draw = draw
  }

  /** Opens the relay before node `name`, on `port` (0: any). Resolves with its port. */
  async add(name: string, port: number, targetPort: number): Promise<number> {
    const relay = new PeerRelay({
      to: name,
      targetPort,
      nameOf: (memberId) => this.names.get(memberId),
      rule: ({ from, to }) => this.inForce.get(`${from}>${to}`) ?? openLink,
      draw: this.draw,
    })
    await relay.listen(port)
    this.relays.set(name, relay)
    return relay.port
  }

  remove(name: string): void {
    this.relays.get(name)?.close()
    this.relays.delete(name)
  }

  /** Learns which node greets with `memberId` (hexadecimal). */
  identify(memberId: string, name: string): void {
    this.names.set(memberId, name)
  }

  lay(directions: readonly Direction[], rule: LinkRule): LaidRule {
    const entry = { directions, rule }
    this.laid.add(entry)
    this.update()
    return {
      lift: () => {
        if (this.laid.delete(entry)) this.update()
      },
    }
  }

  /** Breaks what is connected in these directions. Returns how many connections there were. */
  reset(directions: readonly Direction[]): number {
    let count = 0
    for (const { from, to } of directions) count += this.relays.get(to)?.reset(from) ?? 0
    return count
  }

  /** What passes through it, a line each connection; and what rules are in force. */
  describe(): string[] {
    const rules = [...this.inForce].map(([direction, rule]) => `${direction}: ${JSON.stringify(rule)}`)
    return [...rules, ...[...this.relays.values()].flatMap((relay) => relay.describe())]
  }

  close(): void {
    for (const relay of this.relays.values()) relay.close()
    this.relays.clear()
  }

  private update(): void {
    const rules = new Map<string, LinkRule[]>()
    for (const { directions, rule } of this.laid)
      for (const { from, to } of directions) {
        const key = `${from}>${to}`
        rules.set(key, [...(rules.get(key) ?? []), rule])
      }
    this.inForce.clear()
    for (const [key, list] of rules) this.inForce.set(key, combineRules(list))
    for (const relay of this.relays.values()) relay.update()
  }
}
