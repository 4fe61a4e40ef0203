import type { Random } from '../../../runtime/index.ts'
import { chance, exponential, pick } from '../chance.ts'
import type { ClientWorld } from './kv-client.ts'
import { compact } from './requests.ts'

/** Compacts now and then, up to a revision that some node knows of. */
export class CompactionClient {
  private readonly world: ClientWorld
  private readonly random: Random
  private readonly everyMs: number
  private stopped = false

  constructor(world: ClientWorld, random: Random) {
    this.world = world
    this.random = random
    this.everyMs = pick(random, [400, 2000, 6000])
  }

  start(): void {
    this.world.simulation.after(exponential(this.random, this.everyMs), () => {
      if (!this.stopped) this.compact()
    })
  }

  stop(): void {
    this.stopped = true
  }

  private compact(): void {
    const behind = pick(this.random, [0, 1, 5, 50])
    const physical = chance(this.random, 0.3)
    this.world.calls.make<string>(
      pick(this.random, this.world.cluster.members),
      (node, done) => {
        const { engine } = node.services
        const { request, bytes } = compact(Math.max(1, engine.revision - behind), physical)
        engine.compact(request, bytes, (outcome) => done(outcome.ok ? 'ok' : outcome.code))
      },
      (answer) => {
        if (answer.kind === 'answered') this.world.recorder.count(`compaction ${answer.value}`)
        this.start()
      },
    )
  }
}
