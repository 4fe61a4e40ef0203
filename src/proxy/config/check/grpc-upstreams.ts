/** gRPC that is sent where HTTP/1.1 is spoken, which cannot carry it (grpc/grpc doc/PROTOCOL-HTTP2.md). */
import type { HeaderMatch, HttpListenerConfig, ProxyUpstreamConfig } from '../model.ts'
import type { YamlSource } from '../schema/index.ts'

const cure = 'over HTTP/1.1, which cannot carry it: set protocol: http2'

/** Warns at an upstream that is checked by gRPC and spoken to by HTTP/1.1. */
export function warnGrpcCheck({ settings, protocol }: ProxyUpstreamConfig, source: YamlSource): void {
  if (protocol === 'http1' && settings.activeCheck?.check.type === 'grpc')
    source.warn(['upstreams', settings.name], `is checked as a server of gRPC, and gets its requests ${cure}`)
}

/** Warns at routes for gRPC, by their content-type, to such upstreams. */
export function warnGrpcRoutes(
  listener: HttpListenerConfig,
  upstreams: readonly ProxyUpstreamConfig[],
  source: YamlSource,
): void {
  const http1 = new Set(upstreams.filter(({ protocol }) => protocol === 'http1').map(({ settings }) => settings.name))
  for (const route of listener.routes) {
    if (route.action.type !== 'forward' || !route.match.headers.some(asksForGrpc)) continue
    for (const { upstream } of route.action.to)
      if (http1.has(upstream)) source.warn(source.placeOf(route), `sends gRPC to upstream ${upstream} ${cure} there`)
  }
}

function asksForGrpc({ name, test }: HeaderMatch): boolean {
  if (name !== 'content-type') return false
  switch (test.type) {
    case 'exact':
      return /^application\/grpc($|[+;])/.test(test.value)
    case 'prefix':
      return test.value.startsWith('application/grpc') && !test.value.startsWith('application/grpc-')
    case 'regex':
      return test.value.source.includes('grpc') && test.value.test('application/grpc')
    default:
      return false
  }
}
