/** All clients of a world. */
import type { Random } from '../../../runtime/index.ts'
import { between, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { type ClientWorld, KvClient } from './kv-client.ts'
import { Probe } from './probe.ts'

export class Load {
  private readonly world: ClientWorld
  private readonly clients: KvClient[] = []
  private probes = 0

  constructor(world: ClientWorld, random: Random) {
    this.world = world
    const count = between(random, 4, 8)
    // Together at least 25 operations a second when the cluster answers.
    const thinkMs = (count * 1000) / pick(random, [30, 45, 80])
    for (let i = 0; i < count; i++) this.clients.push(new KvClient(world, random.fork(`client-${i}`), `c${i}`, thinkMs))
  }

  start(): void {
    for (const client of this.clients) client.start()
  }

  /** Nothing more is begun. */
  stop(): void {
    for (const client of this.clients) client.stop()
  }

  /** No call is under way. */
  get idle(): boolean {
    return this.world.calls.open === 0
  }

  probe(machines: readonly Machine[]): Probe {
    return new Probe(this.world, `probe${this.probes++}`, machines)
  }
}
