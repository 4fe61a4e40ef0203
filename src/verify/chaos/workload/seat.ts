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
import { perform } from './operations.ts'
import type { Endpoint, WorkloadWorld } from './world.ts'

/** What became of an operation; with its output when it was answered. */
export interface Operated {
  readonly outcome: 'ok' | 'failed' | 'unknown'
  readonly output?: KvOutput
}

export interface HowToOperate {
  /** A read from the asked node's own state. */
  readonly serializable?: boolean
  /** Under which it is counted; default: its operation. */
  readonly kind?: string
  /** Carries it out otherwise than word for word. */
  readonly carryOut?: (api: EtcdApi) => Promise<KvOutput>
}

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

  /** Carries out and records one operation. */
  async operate(input: KvInput, how: HowToOperate = {}): Promise<Operated> {
    const { recorder, tally, operationTimeoutMs } = this.world
    const { serializable = false, kind = input.op, carryOut } = how
    const about = { type: 'operation', client: this.name, node: this.node, input } as const
    const extra = serializable ? ({ serializable: true } as const) : {}
    const invokedMs = recorder.nowMs()
    try {
      const output = await (carryOut?.(this.api) ?? perform(this.api, input, serializable, operationTimeoutMs))
      recorder.add({ ...about, invokedMs, returnedMs: recorder.nowMs(), outcome: 'ok', output, ...extra })
      tally.count(kind, 'ok')
      return { outcome: 'ok', output }
    } catch (error) {
      const outcome = outcomeOf(error)
      const returned = outcome === 'failed' ? { returnedMs: recorder.nowMs() } : {}
      recorder.add({ ...about, invokedMs, ...returned, outcome, error: (error as Error).message, ...extra })
      tally.count(kind, outcome)
      if (outcome === 'unknown') this.lives++
      this.moveOn()
      return { outcome }
    }
  }

  close(): void {
    for (const connection of this.connections.values()) connection.close()
  }
}
