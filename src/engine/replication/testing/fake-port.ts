import type { MemberId } from '../../../core/index.ts'
import { createSimulation, type Simulation } from '../../../runtime/simulation/index.ts'
import type { GroupPort } from '../group-port.ts'

export interface SentMessage {
  readonly to: MemberId
  readonly kind: number
  readonly payload: Buffer
}

/** A port without a host: remembers what is sent, and what was thrown. */
export class FakePort implements GroupPort {
  readonly simulation: Simulation
  readonly runtime: GroupPort['runtime']
  readonly sent: SentMessage[] = []
  readonly failures: unknown[] = []
  connected = true

  constructor(seed: string) {
    this.simulation = createSimulation({ seed })
    this.runtime = this.simulation.createNode('n').runtime
  }

  send(to: MemberId, kind: number, payload: readonly Uint8Array[]): void {
    this.sent.push({ to, kind, payload: Buffer.concat(payload) })
  }

  isConnected(): boolean {
    return this.connected
  }

  persist(_write: unknown, onDurable: () => void): void {
    this.runtime.scheduler.endOfTurn(onDurable)
  }

  release(): void {}

  guard(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.failures.push(error)
    }
  }

  /** Takes out what was sent since the last call. */
  take(): SentMessage[] {
    return this.sent.splice(0)
  }

  async pass(forMs: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + forMs })
  }
}
