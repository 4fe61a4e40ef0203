/**
 * Synod's balancing algorithms as a load balancing policy of grpc-js, `synod`.
 *
 * Connections are grpc-js's: each endpoint is a leaf, which is its `pick_first` over one endpoint. Which leaf a call gets is
 * ours: of those that are ready, by weight, calls under way and latency, as the algorithm goes.
 *
 * I1. `leaves` has one leaf for each address of the last list; those that stay keep their connection and their figures.
 * I2. `balancer` has exactly the ready ones.
 */
import type { experimental } from '@grpc/grpc-js'
import {
  type BalancedEndpoint,
  type BalancePolicy,
  type Balancer,
  balancePolicies,
  createBalancer,
  PeakEwma,
} from '../../core/balance/index.ts'
import type { Clock, Random } from '../../runtime/index.ts'
import type { GrpcJs } from './grpc-js-module.ts'

/** The policy's name in a service config. */
export const balancerName = 'synod'

type Constructor = Parameters<typeof experimental.registerLoadBalancerType>[1]
type Helper = ConstructorParameters<Constructor>[0]
type EndpointList = Parameters<InstanceType<Constructor>['updateAddressList']>[0]
type Endpoint = Extract<EndpointList, { readonly ok: true }>['value'][number]
type Config = Parameters<InstanceType<Constructor>['updateAddressList']>[1]
type ChannelOptions = Parameters<InstanceType<Constructor>['updateAddressList']>[2]
type Leaf = InstanceType<typeof experimental.LeafLoadBalancer>
type Picker = ReturnType<Leaf['getPicker']>
type PickArgs = Parameters<Picker['pick']>[0]
type PickResult = ReturnType<Picker['pick']>

/** What of the world the algorithms need. */
export interface BalancerWorld {
  readonly clock: Clock
  readonly random: Random
}

/** Registers the policy, once a copy of grpc-js. */
export function registerBalancer(grpcJs: GrpcJs, world: BalancerWorld): void {
  const { isLoadBalancerNameRegistered, registerLoadBalancerType } = grpcJs.experimental
  if (isLoadBalancerNameRegistered(balancerName)) return
  class SynodBalancer extends RegistryBalancer {
    constructor(helper: Helper) {
      super(grpcJs, world, helper)
    }
  }
  registerLoadBalancerType(balancerName, SynodBalancer, RegistryBalancerConfig)
}

/** `{"synod": {"policy": "p2c", "weights": {"10.0.0.7:8080": 3}, "keyMetadata": "x-user"}}`. */
class RegistryBalancerConfig {
  readonly policy: BalancePolicy
  readonly weights: ReadonlyMap<string, number>
  readonly keyMetadata: string | undefined

  constructor(policy: BalancePolicy, weights: ReadonlyMap<string, number>, keyMetadata: string | undefined) {
    this.policy = policy
    this.weights = weights
    this.keyMetadata = keyMetadata
  }

  getLoadBalancerName(): string {
    return balancerName
  }

  toJsonObject(): object {
    const { policy, keyMetadata } = this
    return { [balancerName]: { policy, keyMetadata, weights: Object.fromEntries(this.weights) } }
  }

  /** What grpc-js read from a service config; throws what is wrong with it. */
  static createFromJson(json: unknown): RegistryBalancerConfig {
    const { policy = 'round-robin', weights = {}, keyMetadata } = (json ?? {}) as Record<string, unknown>
    const known = balancePolicies.find((one) => one === policy)
    if (known === undefined) throw new Error(`synod: there is no policy ${JSON.stringify(policy)}`)
    const numbers = Object.entries(weights as object).filter(([, weight]) => typeof weight === 'number' && weight > 0)
    return new RegistryBalancerConfig(
      known,
      new Map(numbers),
      typeof keyMetadata === 'string' ? keyMetadata : undefined,
    )
  }
}

/** An endpoint, as the algorithms see it. */
class Member implements BalancedEndpoint {
  readonly id: string
  readonly leaf: Leaf
  weight = 1
  active = 0
  private readonly clock: Clock
  private readonly latency = new PeakEwma()

  constructor(id: string, leaf: Leaf, clock: Clock) {
    this.id = id
    this.leaf = leaf
    this.clock = clock
  }

  get latencyMs(): number {
    return this.latency.valueMs(this.clock.monotonicMs())
  }

  /** Has the leaf choose its connection, and counts the call. */
  pick(args: PickArgs): PickResult {
    const picked = this.leaf.getPicker().pick(args)
    const { onCallStarted, onCallEnded } = picked
    let beganMs = Number.NaN
    return {
      ...picked,
      onCallStarted: () => {
        beganMs = this.clock.monotonicMs()
        this.active++
        onCallStarted?.()
      },
      onCallEnded: (status, details, metadata) => {
        if (!Number.isNaN(beganMs)) {
          this.active--
          const nowMs = this.clock.monotonicMs()
          this.latency.observe(nowMs, nowMs - beganMs)
          beganMs = Number.NaN
        }
        onCallEnded?.(status, details, metadata)
      },
    } as PickResult
  }
}

class RegistryBalancer {
  private readonly grpcJs: GrpcJs
  private readonly world: BalancerWorld
  private readonly helper: Helper
  private readonly childHelper: Helper
  private leaves = new Map<string, Member>()
  private config = new RegistryBalancerConfig('round-robin', new Map(), undefined)
  private balancer: Balancer<Member>
  private isUpdating = false
  private lastError = 'no connection was tried yet'

  constructor(grpcJs: GrpcJs, world: BalancerWorld, helper: Helper) {
    this.grpcJs = grpcJs
    this.world = world
    this.helper = helper
    this.balancer = this.newBalancer()
    this.childHelper = grpcJs.experimental.createChildChannelControlHelper(helper, {
      updateState: (_state, _picker, errorMessage) => {
        if (errorMessage !== null) this.lastError = errorMessage
        this.tellState()
      },
    })
  }

  updateAddressList(list: EndpointList, config: Config, options: ChannelOptions, note: string): boolean {
    if (!(config instanceof RegistryBalancerConfig)) return false
    if (!list.ok) {
      this.lastError = list.error.details ?? 'the service cannot be resolved'
      // What is known stays in use; the resolver says so with an empty list when it is to go.
      if (this.leaves.size === 0) this.tellState()
      return true
    }
    if (config.policy !== this.config.policy) {
      this.config = config
      this.balancer = this.newBalancer()
    }
    this.config = config
    this.isUpdating = true
    this.replaceLeaves(list.value, options, note)
    this.isUpdating = false
    this.tellState()
    return true
  }

  exitIdle(): void {
    for (const { leaf } of this.leaves.values()) leaf.exitIdle()
  }

  resetBackoff(): void {}

  destroy(): void {
    this.isUpdating = true
    for (const { leaf } of this.leaves.values()) leaf.destroy()
    this.leaves.clear()
  }

  getTypeName(): string {
    return balancerName
  }

  /** See I1. */
  private replaceLeaves(endpoints: readonly Endpoint[], options: ChannelOptions, note: string): void {
    const { LeafLoadBalancer, endpointToString } = this.grpcJs.experimental
    const leaves = new Map<string, Member>()
    for (const endpoint of endpoints) {
      const id = addressOf(endpoint) ?? endpointToString(endpoint)
      if (leaves.has(id)) continue
      const member =
        this.leaves.get(id) ??
        new Member(id, new LeafLoadBalancer(endpoint, this.childHelper, options, note), this.world.clock)
      member.weight = this.config.weights.get(id) ?? 1
      leaves.set(id, member)
    }
    for (const [id, { leaf }] of this.leaves) if (!leaves.has(id)) leaf.destroy()
    const before = this.leaves
    this.leaves = leaves
    for (const [id, { leaf }] of leaves) if (!before.has(id)) leaf.startConnecting()
  }

  /** Tells the channel what the leaves are together, as grpc-js's own policies put it. */
  private tellState(): void {
    if (this.isUpdating) return
    const { connectivityState: states, experimental } = this.grpcJs
    const members = [...this.leaves.values()]
    const ready = members.filter(({ leaf }) => leaf.getConnectivityState() === states.READY)
    this.balancer.update(ready)
    const isSome = (state: number): boolean => members.some(({ leaf }) => leaf.getConnectivityState() === state)
    if (ready.length > 0) {
      this.helper.updateState(states.READY, { pick: (args) => this.pick(args) }, null)
    } else if (isSome(states.CONNECTING) || isSome(states.IDLE)) {
      this.helper.updateState(states.CONNECTING, new experimental.QueuePicker(this), null)
    } else {
      const details = `synod: no connection could be made: ${this.lastError}`
      this.helper.updateState(states.TRANSIENT_FAILURE, new experimental.UnavailablePicker({ details }), details)
    }
    // Connections are kept, as round_robin keeps them.
    for (const { leaf } of members) if (leaf.getConnectivityState() === states.IDLE) leaf.exitIdle()
  }

  private pick(args: PickArgs): PickResult {
    const { keyMetadata } = this.config
    const key = keyMetadata === undefined ? undefined : args.metadata.get(keyMetadata)[0]?.toString()
    const member = this.balancer.pick({ key })
    return (member?.pick(args) ?? new this.grpcJs.experimental.QueuePicker(this).pick(args)) as PickResult
  }

  private newBalancer(): Balancer<Member> {
    const { random } = this.world
    return createBalancer<Member>(this.config.policy, {
      randomUnit: () => random.float(),
      offset: random.below(1_000),
    })
  }
}

function addressOf({ addresses: [first] }: { readonly addresses: readonly object[] }): string | undefined {
  const { host, port } = (first ?? {}) as { readonly host?: unknown; readonly port?: unknown }
  return host === undefined ? undefined : `${String(host)}:${String(port)}`
}
