/** What no single value shows: names that must exist, addresses and names that must differ, sources that lack something. */
import type { ListenerConfig, ProxyConfig } from '../model.ts'
import type { Path } from '../problem.ts'
import { suggestion, type YamlSource } from '../schema/index.ts'
import { warnGrpcCheck, warnGrpcRoutes } from './grpc-upstreams.ts'
import { warnUnreachable } from './unreachable.ts'

/**
 * Reports and warns into `source`. `names` are all upstreams that stand in the file, also those that are wrong
 * otherwise: a reference to one is no second problem.
 */
export function checkReferences(config: ProxyConfig, names: ReadonlySet<string>, source: YamlSource): void {
  const used = new Set<string>()
  for (const listener of config.listeners) {
    for (const [name, at] of referencesOf(listener, source)) {
      used.add(name)
      if (!names.has(name))
        source.report(
          at,
          `there is no upstream ${JSON.stringify(name)}${suggestion(name, [...names]) || knownNames(names)}`,
        )
    }
    if (listener.protocol !== 'http') continue
    warnUnreachable(listener, source)
    warnGrpcRoutes(listener, config.upstreams, source)
  }
  checkUpstreams(config, used, source)
  checkListeners(config, source)
}

function checkUpstreams(config: ProxyConfig, used: ReadonlySet<string>, source: YamlSource): void {
  for (const upstream of config.upstreams) {
    const { settings } = upstream
    const at = ['upstreams', settings.name]
    warnGrpcCheck(upstream, source)
    if (!used.has(settings.name)) source.warn(at, 'is not used by any listener')
    if (config.registry === undefined && settings.sources.some(({ type }) => type === 'registry'))
      source.report([...at, 'registry'], 'needs the connection string of the registry: set registry at the top')
  }
}

function knownNames(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, 5).join(', ')
  const known =
    names.size === 0
      ? ''
      : `, where ${names.size > 5 ? `${shown}, … are` : `${shown} ${names.size === 1 ? 'is' : 'are'}`}`
  return `: add it under upstreams${known}`
}

/** Every mention of an upstream, with the place of the mention. */
function* referencesOf(listener: ListenerConfig, source: YamlSource): Generator<readonly [string, Path]> {
  const at = source.placeOf(listener)
  if (listener.protocol === 'tcp') yield [listener.upstream, [...at, 'to']]
  if (listener.protocol === 'tls-passthrough') {
    if (listener.defaultUpstream !== undefined) yield [listener.defaultUpstream, [...at, 'to']]
    for (const [index, { upstream }] of listener.names.entries()) yield [upstream, [...at, 'names', index, 'to']]
  }
  if (listener.protocol !== 'http') return
  for (const route of listener.routes) {
    const place = source.placeOf(route)
    if (route.mirror !== undefined) yield [route.mirror.upstream, [...place, 'mirror']]
    if (route.action.type !== 'forward') continue
    for (const [index, { upstream }] of route.action.to.entries())
      yield [upstream, targetPlace(place, upstream, index, source)]
  }
}

/** `to: name`, `to: {name: weight}`, `to: [name]`, `to: [{upstream: name}]`. */
function targetPlace(route: Path, upstream: string, index: number, source: YamlSource): Path {
  const to = [...route, 'to']
  return (
    [
      [...to, index, 'upstream'],
      [...to, index],
      [...to, upstream],
    ].find((path) => source.has(path)) ?? to
  )
}

function checkListeners(config: ProxyConfig, source: YamlSource): void {
  const names = new Set<string>()
  const routeNames = new Set<string>()
  const taken = new Map<string, string>()
  if (config.admin !== undefined && config.admin.port !== 0) taken.set(addressText(config.admin), 'admin')
  for (const listener of config.listeners) {
    const at = source.placeOf(listener)
    if (names.has(listener.name)) source.report([...at, 'name'], `another listener is called ${listener.name} too`)
    names.add(listener.name)
    if (listener.port !== 0) {
      const other = taken.get(addressText(listener)) ?? takenByAll(listener, taken)
      if (other !== undefined) source.report([...at, 'address'], `is the address of ${other} too: each needs its own`)
      taken.set(addressText(listener), listener.name)
    }
    if (listener.protocol !== 'http') continue
    for (const route of listener.routes) {
      if (routeNames.has(route.name))
        source.report([...source.placeOf(route), 'name'], `another route is called ${route.name} too`)
      routeNames.add(route.name)
    }
  }
}

/** `0.0.0.0:80` and `127.0.0.1:80` cannot both be listened at. */
function takenByAll(listener: ListenerConfig, taken: ReadonlyMap<string, string>): string | undefined {
  const isAll = listener.host === '0.0.0.0' || listener.host === '::'
  for (const [address, name] of taken) {
    if (!address.endsWith(`]:${listener.port}`)) continue
    if (isAll || address.startsWith('[0.0.0.0]') || address.startsWith('[::]')) return name
  }
  return undefined
}

function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return `[${host === 'localhost' ? '127.0.0.1' : host}]:${port}`
}
