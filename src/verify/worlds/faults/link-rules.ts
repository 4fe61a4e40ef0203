/**
 * The network faults in force. Several may touch one link; each link gets the worst of what they say, so that the end of
 * one fault does not end another.
 */
import type { DelayRangeMs, LinkFaults, Simulation } from '../../../runtime/simulation/index.ts'

export interface LinkRule {
  /** Whether the rule touches what goes from one machine to another. */
  readonly applies: (from: string, to: string) => boolean
  readonly faults: Partial<LinkFaults>
}

const healthyDelayMs: DelayRangeMs = [0.1, 0.5]

export class LinkRules {
  private readonly simulation: Simulation
  private readonly names: () => readonly string[]
  private readonly rules = new Set<LinkRule>()
  /** What each link was last set to, as text. */
  private readonly applied = new Map<string, string>()

  constructor(simulation: Simulation, names: () => readonly string[]) {
    this.simulation = simulation
    this.names = names
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
        if (from !== to) this.applyLink(from, to)
      }
    }
  }

  private applyLink(from: string, to: string): void {
    const faults = this.worst(from, to)
    const key = `${from}>${to}`
    const text = JSON.stringify(faults)
    if (this.applied.get(key) === text) return
    this.applied.set(key, text)
    this.simulation.setOneWayLink(from, to, faults)
  }

  private worst(from: string, to: string): Partial<LinkFaults> {
    let worst: Partial<LinkFaults> = { cut: false, lossProbability: 0, delayMs: healthyDelayMs }
    for (const { applies, faults } of this.rules) {
      if (!applies(from, to)) continue
      const delayMs = faults.delayMs ?? healthyDelayMs
      worst = {
        ...worst,
        ...faults,
        cut: worst.cut === true || faults.cut === true,
        lossProbability: Math.max(worst.lossProbability ?? 0, faults.lossProbability ?? 0),
        delayMs: delayMs[1] > (worst.delayMs ?? healthyDelayMs)[1] ? delayMs : (worst.delayMs ?? healthyDelayMs),
      }
    }
    return worst
  }
}
