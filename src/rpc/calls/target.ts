/**
 * Where a client's calls go, as one string:
 *
 *     synod:///orders              the instances of `orders` in Synod's registry, by watch
 *     static:///h1:50051,h2:50051  these
 *     dns:///orders.local:50051    every address of the name; without a port its SRV records
 *     file:///etc/orders.yaml      a list in a file, read again when it changes
 *     h1:50051                     this one; as static
 */
import type { EndpointAddress, EndpointSource } from '../../traffic/upstream/index.ts'
import { RpcError } from '../service/index.ts'

/** How often names are looked up again. */
const dnsRefreshMs = 10_000

/** Throws `INVALID_ARGUMENT`, saying what is expected. */
export function sourceOfTarget(target: string): EndpointSource {
  const parts = /^([a-z]+):\/\/\/(.+)$/.exec(target)
  if (parts === null) {
    if (target.includes('://')) throw wrong(target, 'write three slashes: synod:///NAME, static:///HOST:PORT, …')
    return { type: 'static', endpoints: [endpointOf(target, target)] }
  }
  const [, scheme, rest] = parts as unknown as [string, string, string]
  switch (scheme) {
    case 'synod':
      return { type: 'registry', service: decodeURIComponent(rest) }
    case 'static':
      return { type: 'static', endpoints: rest.split(',').map((one) => endpointOf(one.trim(), target)) }
    case 'file':
      return { type: 'file', path: `/${rest}` }
    case 'dns': {
      const at = /^(.*):([0-9]+)$/.exec(rest)
      if (at === null) return { type: 'dns', name: rest, port: undefined, refreshMs: dnsRefreshMs }
      return { type: 'dns', name: at[1]!, port: portOf(at[2]!, target), refreshMs: dnsRefreshMs }
    }
    default:
      throw wrong(target, 'known are synod:///, static:///, dns:///, file:///, and HOST:PORT')
  }
}

function endpointOf(text: string, target: string): EndpointAddress {
  const parts = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]+)):([0-9]+)$/.exec(text)
  if (parts === null) throw wrong(target, `'${text}' is no HOST:PORT, with an IPv6 address in brackets`)
  const host = parts[1] ?? parts[2]!
  return { id: text, host, port: portOf(parts[3]!, target), weight: 1, priority: 0, zone: '', metadata: {} }
}

function portOf(text: string, target: string): number {
  const port = Number(text)
  if (port >= 1 && port <= 65_535) return port
  throw wrong(target, `the port is ${text}, and must be 1 to 65535`)
}

function wrong(target: string, why: string): RpcError {
  return new RpcError('INVALID_ARGUMENT', `the target '${target}' cannot be used: ${why}`)
}
