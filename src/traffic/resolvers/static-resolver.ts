import type { EndpointSource } from '../upstream/index.ts'
import type { Resolver, ResolverEvents } from './resolver.ts'

/** Tells the endpoints that the settings name, once, before it returns. */
export function openStaticResolver(
  source: EndpointSource & { readonly type: 'static' },
  events: ResolverEvents,
): Resolver {
  events.found(source.endpoints.map((address) => ({ address, unhealthy: '' })))
  return { close() {} }
}
