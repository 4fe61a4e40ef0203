export { parseEndpointList } from './endpoint-list.ts'
export { openResolver } from './open-resolver.ts'
export { lazyServiceInstances } from './registry-resolver.ts'
export {
  endpointsMax,
  errorText,
  hostPort,
  type ResolvedEndpoint,
  type Resolver,
  type ResolverEvents,
  type ServiceInstance,
  type ServiceInstances,
  type TrafficRuntime,
} from './resolver.ts'
