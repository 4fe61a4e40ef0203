import type { Registry } from '../../client/index.ts'
import { type BalancePolicy, balancePolicies } from '../../core/balance/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { RpcError } from '../service/index.ts'
import type { TransportRuntime } from '../transport/index.ts'
import type { GrpcJs } from './grpc-js-module.ts'
import { registerBalancer } from './registry-balancer.ts'
import { type PolicyChoice, resolverClass } from './registry-resolver.ts'

/** How plain grpc-js finds and spreads. */
export interface SynodResolverOptions {
  /** Default `synod`: targets are `synod:///SERVICE`. */
  readonly scheme?: string | undefined
  /**
   * How calls are spread. `round_robin` and `pick_first` are grpc-js's own; the others are Synod's, and heed the `weight` in
   * instances' metadata. A channel whose options name a policy in `grpc.service_config` uses that. Default `round_robin`.
   */
  readonly policy?: 'round_robin' | 'pick_first' | BalancePolicy | undefined
  /** For policies that hash: the metadata of a call whose value is its key. */
  readonly keyMetadata?: string | undefined
  readonly runtime?: Partial<TransportRuntime> | undefined
}

/**
 * Teaches `@grpc/grpc-js` to find services in Synod's registry: afterwards `new OrdersClient('synod:///orders', credentials)`
 * follows the healthy instances of `orders` by watch. While the registry cannot be reached, what is known stays in use.
 * The registration is for the whole process and for good: grpc-js knows no other. A call whose server dies is made again
 * where the channel's `grpc.service_config` has a `retryPolicy` for it: grpc-js makes none again by itself but those that
 * certainly reached no server. Throws `INVALID_ARGUMENT` for a policy
 * that there is not.
 *
 * @example
 * import * as grpc from '@grpc/grpc-js'
 * registerSynodResolver(grpc, await connect('synod://127.0.0.1:2379'))
 */
export function registerSynodResolver(
  grpcJs: GrpcJs,
  plane: { readonly registry: Registry },
  options: SynodResolverOptions = {},
): void {
  const { scheme = 'synod', policy = 'round_robin' } = options
  const { clock, scheduler, random, logger } = { ...createNodeRuntime({ logLevel: 'error' }), ...options.runtime }
  const choice = choiceOf(policy, options.keyMetadata)
  if (typeof choice !== 'string') registerBalancer(grpcJs, { clock, random })
  const outside = { scheduler, random, logger }
  grpcJs.experimental.registerResolver(scheme, resolverClass({ grpcJs, registry: plane.registry, choice, outside }))
}

function choiceOf(policy: NonNullable<SynodResolverOptions['policy']>, keyMetadata: string | undefined): PolicyChoice {
  if (policy === 'round_robin' || policy === 'pick_first') return policy
  if (balancePolicies.includes(policy)) return { policy, keyMetadata }
  const message = `there is no policy '${policy}': use round_robin, pick_first or one of ${balancePolicies.join(', ')}`
  throw new RpcError('INVALID_ARGUMENT', message)
}
