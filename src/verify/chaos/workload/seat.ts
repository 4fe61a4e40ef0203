/**
 * A client's place: its name, and the node it talks to.
 *
 * - S1  An operation whose outcome is unknown stays open for ever, so its client's name is not used again: the seat goes
 *       on under a new one.
 * - S2  After a failure the client tries another node, as clients with several endpoints do.
 */
import type { Prng } from '../../../base/index.ts'
import type { KvInput, KvOutput } from '../../history/index.ts'
import type { EtcdApi } from '../client/etcd-api.ts'
import { outcomeOf } from '../client/rpc-failure.ts'
import { kindOf, perform } from './operations.ts'
import type { Endpoint, WorkloadWorld } from './world.ts'

export class Seat {
  private readonly world: WorkloadWorld
  private readonly baseName: string
  private readonly random: Prng
  private lives = 0
  private endpoint: Endpoint
  private readonly connections = new Map<string, EtcdApi>()

  /** Begins at the node number `home`. */
  constructor(world: WorkloadWorld, baseName: string, random: Prng, home: number) {
    this.world = world
    this.baseName = baseName
    this.random = random
    const endpoints = world.endpoints()
    this.endpoint = endpoints[home % endpoints.length]!
  }

  get name(): string {
    return this.lives === 0 ? this.baseName : `${this.baseName}.${this.lives}`
  }

  get node(): string {
    return this.endpoint.name
  }

  /** The connection to the node it talks to. */
  get api(): EtcdApi {
    let api = this.connections.get(this.endpoint.name)
    if (api === undefined) this.connections.set(this.endpoint.name, (api = this.endpoint.connect()))
    return api
  }

  /** Turns to another node, where there is one. */
  moveOn(): void {
    const endpoints = this.world.endpoints()
    const others = endpoints.filter((endpoint) => endpoint.name !== this.endpoint.name)
    const choices = others.length > 0 ? others : endpoints
    this.endpoint = choices[this.random.below(choices.length)]!
  }

  /** Carries out and records one operation. Resolves with its output when it was answered. */
  async operate(input: KvInput, serializable = false): Promise<KvOutput | undefined> {
    const { recorder, tally, operationTimeoutMs } = this.world
    const about = { type: 'operation', client: this.name, node: this.node } as const
    const kind = serializable ? 'serializable get' : kindOf(input)
    const extra = serializable ? ({ serializable: true } as const) : {}
    const invokedMs = recorder.nowMs()
    try {
      const output = await perform(this.api, input, serializable, operationTimeoutMs)
      recorder.add({ ...about, invokedMs, returnedMs: recorder.nowMs(), outcome: 'ok', input, output, ...extra })
      tally.count(kind, 'ok')
      return output
    } catch (error) {
      const outcome = outcomeOf(error)
      const returned = outcome === 'failed' ? { returnedMs: recorder.nowMs() } : {}
      recorder.add({ ...about, invokedMs, ...returned, outcome, error: (error as Error).message, input, ...extra })
      tally.count(kind, outcome)
      if (outcome === 'unknown') this.lives++
      this.moveOn()
      return undefined
    }
  }

  close(): void {
    for (const connection of this.connections.values()) connection.close()
  }
}
