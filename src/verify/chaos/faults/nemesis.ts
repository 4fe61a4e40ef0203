/**
 * Carries the planned faults out. The faults of one lane come one after another, those of different lanes side by side.
 *
 * - F1  Every fault undoes what it did before it ends, also when it is cut short; so once all lanes have ended, every
 *       node runs, none is stopped, and no rule lies on the network.
 */
import { Prng } from '../../../base/index.ts'
import type { Recorder } from '../recorder.ts'
import { controlFaults } from './control-faults.ts'
import type { FaultName, Lane } from './fault-kinds.ts'
import { networkFaults } from './network-faults.ts'
import type { PlannedFault } from './plan.ts'
import { processFaults } from './process-faults.ts'
import type { FaultScene } from './scene.ts'

/** Brings a fault about, holds it, and undoes it. `tell` says in words what is done. */
export type Fault = (
  scene: FaultScene,
  planned: PlannedFault,
  random: Prng,
  tell: (what: string) => void,
) => Promise<void>

const faults: Readonly<Record<FaultName, Fault>> = { ...processFaults, ...networkFaults, ...controlFaults }

/** What became of a planned fault. */
export interface FaultEvent {
  readonly name: FaultName
  readonly lane: Lane
  readonly beganMs: number
  endedMs: number | undefined
  /** What was done, step by step. */
  readonly words: string[]
}

export class Nemesis {
  readonly events: FaultEvent[] = []
  private readonly scene: FaultScene
  private readonly recorder: Recorder

  constructor(scene: FaultScene, recorder: Recorder) {
    this.scene = scene
    this.recorder = recorder
  }

  /** Resolves when every lane has ended: after the plan's last fault, or soon after the scene began to heal. */
  async run(plan: readonly PlannedFault[]): Promise<void> {
    const lanes = new Set(plan.map((planned) => planned.lane))
    await Promise.all([...lanes].map((lane) => this.runLane(plan.filter((planned) => planned.lane === lane))))
    this.scene.close()
  }

  private async runLane(plan: readonly PlannedFault[]): Promise<void> {
    const startMs = this.recorder.nowMs()
    for (const planned of plan) {
      await this.scene.hold(Math.max(0, startMs + planned.atMs - this.recorder.nowMs()))
      if (this.scene.isHealing) return
      const { name, lane } = planned
      const event: FaultEvent = { name, lane, beganMs: this.recorder.nowMs(), endedMs: undefined, words: [] }
      this.events.push(event)
      const tell = (what: string): number => event.words.push(what)
      await faults[name](this.scene, planned, new Prng(planned.seed), tell)
      event.endedMs = this.recorder.nowMs()
    }
  }
}
