/**
 * grpc-js's resolver for the registry.
 *
 * I1. One watch runs from the first `updateResolution` to `destroy`; grpc-js destroys a resolver when its channel goes idle
 *     or is closed, and makes another when it wakes.
 * I2. A failure of the registry is told only while nothing is known.
 */
import type { ChannelOptions, experimental, ServiceConfig, StatusObject } from '@grpc/grpc-js'
import type { Instance, Registry } from '../../client/index.ts'
import type { BalancePolicy } from '../../core/balance/index.ts'
import type { TransportRuntime } from '../transport/index.ts'
import { channelConfigOf } from './channel-config.ts'
import type { GrpcJs } from './grpc-js-module.ts'
import { balancerName } from './registry-balancer.ts'

/** grpc-js's own policy, or one of ours. */
export type PolicyChoice =
  | 'round_robin'
  | 'pick_first'
  | { readonly policy: BalancePolicy; readonly keyMetadata: string | undefined }

export interface ResolverSetup {
  readonly grpcJs: GrpcJs
  readonly registry: Registry
  readonly choice: PolicyChoice
  readonly outside: Pick<TransportRuntime, 'scheduler' | 'random' | 'logger'>
}

type ResolverConstructor = Parameters<typeof experimental.registerResolver>[1]
type Listener = ConstructorParameters<ResolverConstructor>[1]
type Target = ConstructorParameters<ResolverConstructor>[0]

/** After a watch that failed the next one begins after this, doubled each time, less up to half at random. */
const againMsMin = 100
const againMsMax = 5_000
/** Where gRPC's service config stops: larger weights are brought down to it. */
const weightMax = 1_000_000

export function resolverClass(setup: ResolverSetup): ResolverConstructor {
  return class RegistryResolver {
    private readonly follower: Follower

    constructor(target: Target, listener: Listener, options: ChannelOptions) {
      const ofChannel = channelConfigOf(setup.grpcJs, options)
      this.follower = new Follower(setup, decodeURIComponent(target.path), listener, ofChannel)
    }

    updateResolution(): void {
      this.follower.start()
    }

    destroy(): void {
      this.follower.stop()
    }

    static getDefaultAuthority(target: Target): string {
      return target.path
    }
  }
}

class Follower {
  private readonly setup: ResolverSetup
  private readonly service: string
  private readonly listener: Listener
  private readonly ofChannel: ServiceConfig
  private leaving: AbortController | undefined = undefined
  private isKnown = false

  constructor(setup: ResolverSetup, service: string, listener: Listener, ofChannel: ServiceConfig) {
    this.setup = setup
    this.service = service
    this.listener = listener
    this.ofChannel = ofChannel
  }

  start(): void {
    if (this.leaving !== undefined) return
    this.leaving = new AbortController()
    void this.follow(this.leaving.signal)
  }

  stop(): void {
    this.leaving?.abort()
    this.leaving = undefined
  }

  private async follow(signal: AbortSignal): Promise<void> {
    const { registry, outside } = this.setup
    for (let failures = 0; !signal.aborted; failures++) {
      try {
        for await (const instances of registry.watch(this.service, { signal })) {
          failures = 0
          if (!signal.aborted) this.tell(instances)
        }
      } catch (error) {
        if (signal.aborted) return
        this.tellFailure(`the registry cannot be read: ${error instanceof Error ? error.message : String(error)}`)
      }
      const doubled = Math.min(againMsMax, againMsMin * 2 ** Math.min(failures, 16))
      await pause(outside, doubled * (1 - outside.random.float() / 2), signal)
    }
  }

  private tell(instances: readonly Instance[]): void {
    const reachable = instances.filter(({ port }) => port !== undefined)
    const { statusOrFromValue } = this.setup.grpcJs.experimental
    if (reachable.length === 0) {
      // That is known, and no reason to go on with the last ones: they are gone.
      this.isKnown = false
      this.tellFailure(`no healthy instance of '${this.service}' is registered: look whether its servers run`)
      return
    }
    this.isKnown = true
    const endpoints = reachable.map(({ address, port }) => ({ addresses: [{ host: address, port: port! }] }))
    // A channel that names its policy gets all of its own config: null leaves that to grpc-js.
    const isOwn = this.ofChannel.loadBalancingConfig.length > 0
    const config = isOwn ? null : statusOrFromValue({ ...this.ofChannel, ...this.policyOf(reachable) })
    this.listener(statusOrFromValue(endpoints), {}, config, '')
  }

  private tellFailure(details: string): void {
    const { grpcJs, outside } = this.setup
    outside.logger.warn('a service cannot be resolved', { service: this.service, reason: details })
    if (this.isKnown) return
    const error: StatusObject = { code: grpcJs.status.UNAVAILABLE, details, metadata: new grpcJs.Metadata() }
    this.listener(grpcJs.experimental.statusOrFromError(error), {}, null, '')
  }

  private policyOf(instances: readonly Instance[]): Pick<ServiceConfig, 'loadBalancingConfig'> {
    const { choice } = this.setup
    if (typeof choice === 'string') return { loadBalancingConfig: [{ [choice]: {} }] }
    const weights: Record<string, number> = {}
    for (const { address, port, metadata } of instances) {
      const weight = Number(metadata['weight'] ?? 1)
      weights[`${address}:${port}`] = weight > 0 ? Math.min(weight, weightMax) : 1
    }
    const config = { policy: choice.policy, keyMetadata: choice.keyMetadata, weights }
    return { loadBalancingConfig: [{ [balancerName]: config }] }
  }
}

function pause(
  { scheduler }: Pick<TransportRuntime, 'scheduler'>,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const timer = scheduler.setTimer(delayMs, done)
    function done(): void {
      timer.cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
  })
}
