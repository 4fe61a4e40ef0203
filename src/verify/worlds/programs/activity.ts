import type { Random } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/simulation/index.ts'
import { exponential } from '../chance.ts'
import type { FencedResource } from '../load/fenced-resource.ts'
import type { Recorder } from '../recorder.ts'
import { type ClientLife, isExpected } from './client-machine.ts'

/** What the programs of a world share. */
export interface ProgramWorld {
  readonly simulation: Simulation
  readonly recorder: Recorder
  /** How far clocks drift here at most, in millionths. */
  readonly driftPpm: number
  /** Nothing fails any more: nobody holds on for the sake of it. */
  isHealed(): boolean
  /** What a lock of this name protects. */
  resource(lock: string): FencedResource
  /** The world ends with this. */
  fail(error: unknown): void
}

/** What one machine does again and again with one primitive, over its processes. */
export interface Activity {
  /** Kebab-case. */
  readonly name: string
  /** How often it did what it does. Rises in every world that is healed. */
  readonly completed: number
  /** Does it until the program is to end; then resolves. */
  run(life: ClientLife): Promise<void>
}

/** An activity that consists of turns with pauses between. */
export abstract class TurnActivity implements Activity {
  abstract readonly name: string
  completed = 0
  protected readonly world: ProgramWorld
  protected readonly random: Random
  protected readonly pauseMs: number

  constructor(world: ProgramWorld, random: Random, pauseMs: number) {
    this.world = world
    this.random = random
    this.pauseMs = pauseMs
  }

  async run(life: ClientLife): Promise<void> {
    const turn = this.begin(life)
    while (!life.stopping.aborted) {
      await life.sleep(exponential(this.random, this.pauseMs))
      if (life.stopping.aborted) return
      try {
        if (await turn()) this.completed++
      } catch (error) {
        if (!isExpected(error)) throw error
        this.world.recorder.count(`program ${error.code}`)
      }
    }
  }

  /** Gives what one turn of a process is; it resolves with whether something was completed. */
  protected abstract begin(life: ClientLife): () => Promise<boolean>
}
