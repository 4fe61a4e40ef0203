/**
 * What a channel says itself in the option `grpc.service_config` (gRPC's `service_config.proto` as JSON). grpc-js looks at
 * it only when the resolver gives no service config, and checks it before it makes the resolver.
 */
import type { ChannelOptions, ServiceConfig } from '@grpc/grpc-js'
import type { GrpcJs } from './grpc-js-module.ts'

type MethodConfig = ServiceConfig['methodConfig'][number]
type WrittenMethodConfig = Omit<MethodConfig, 'timeout'> & { readonly timeout?: MethodConfig['timeout'] | string }

/** The channel's config; with no policy in its `loadBalancingConfig` when it leaves that to the resolver. */
export function channelConfigOf({ experimental }: GrpcJs, options: ChannelOptions): ServiceConfig {
  const text = options['grpc.service_config']
  if (text === undefined) return { loadBalancingConfig: [], methodConfig: [] }
  const written = JSON.parse(text) as Partial<ServiceConfig> & { readonly methodConfig?: WrittenMethodConfig[] }
  const methodConfig = (written.methodConfig ?? []).map(({ timeout, ...rest }): MethodConfig => {
    if (timeout === undefined) return rest
    const parsed = typeof timeout === 'string' ? experimental.parseDuration(timeout) : timeout
    return parsed === null ? rest : { ...rest, timeout: parsed }
  })
  return { ...written, loadBalancingConfig: written.loadBalancingConfig ?? [], methodConfig }
}
