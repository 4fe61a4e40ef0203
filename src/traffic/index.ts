/** Upstreams: groups of endpoints that serve the same, found, checked, and balanced. Begin with {@link openUpstream}. */
export { upstreamMetrics } from './metrics/index.ts'
export {
  lazyServiceInstances,
  parseEndpointList,
  type ServiceInstance,
  type ServiceInstances,
  type TrafficRuntime,
} from './resolvers/index.ts'
export * from './upstream/index.ts'
