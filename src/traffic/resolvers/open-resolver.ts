import type { EndpointSource } from '../upstream/index.ts'
import { DnsResolver } from './dns-resolver.ts'
import { FileResolver } from './file-resolver.ts'
import { RegistryResolver } from './registry-resolver.ts'
import type { Resolver, ResolverEvents, TrafficRuntime } from './resolver.ts'
import { openStaticResolver } from './static-resolver.ts'

/** Begins to follow a source. */
export function openResolver(source: EndpointSource, outside: TrafficRuntime, events: ResolverEvents): Resolver {
  switch (source.type) {
    case 'static':
      return openStaticResolver(source, events)
    case 'dns':
      return new DnsResolver(source, outside, events)
    case 'file':
      return new FileResolver(source, outside, events)
    case 'registry':
      return new RegistryResolver(source, outside, events)
  }
}
