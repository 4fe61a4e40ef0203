/** Addresses, networks and names of hosts, as scalars. */
import { isIpv4, isIpv6 } from '../../ip/index.ts'
import { type Refusal, refuse, scalar, text } from './scalars.ts'
import type { Schema } from './schema.ts'

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** RFC 1123 §2.1 names, and underscores as DNS has them. */
const hostName =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/

/** Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `:8080` for loopback, `0.0.0.0:80` or `[::]:80` for every interface. */
export function listenAddress(): Schema<HostPort> {
  const traits = { type: 'address to listen at', json: { type: ['string', 'integer'] } }
  return scalar(traits, (value) => {
    if (/^\d+$/.test(value)) return parseHostPort(`127.0.0.1:${value}`, 0)
    if (/^:\d+$/.test(value)) return parseHostPort(`127.0.0.1${value}`, 0)
    if (value.startsWith('*:'))
      return refuse(
        `to listen on every interface write 0.0.0.0${value.slice(1)}, or [::]${value.slice(1)} for IPv6 too`,
      )
    return parseHostPort(value, 0)
  })
}

/** Where something is reached: host and port. */
export function endpointAddress(): Schema<HostPort> {
  return scalar({ type: 'address', json: { type: 'string' } }, (value) => parseHostPort(value, 1))
}

/** Host and port; IPv6 in brackets. */
export function parseHostPort(value: string, portMin: number): HostPort | Refusal {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(value)
  if (match === null) {
    if (value.includes('://')) return refuse('write host and port alone, such as 127.0.0.1:8080, without http://')
    if (isIpv6(value)) return refuse(`put IPv6 in brackets and add a port, such as [${value}]:8080`)
    return refuse('write host and port, such as 127.0.0.1:8080 or [::1]:8080')
  }
  const port = Number(match[3])
  if (port < portMin || port > 65_535) return refuse(`the port must be from ${portMin} to 65535`)
  if (match[1] !== undefined) {
    return isIpv6(match[1]) ? { host: match[1], port } : refuse('what stands in brackets must be an IPv6 address')
  }
  return isHost(match[2]!) ? { host: match[2]!, port } : refuse('the host is neither an IP address nor a name')
}

export function isHost(host: string): boolean {
  // What looks like an IPv4 address must be one: 10.0.0.256 is no name.
  return /^[\d.]+$/.test(host) ? isIpv4(host) : hostName.test(host)
}

/** A network in CIDR notation, or one address. */
export function network(): Schema<string> {
  return scalar({ type: 'network', json: { type: 'string' } }, (value) => {
    const [address = '', bits, more] = value.split('/')
    const longest = isIpv4(address) ? 32 : isIpv6(address) ? 128 : -1
    if (longest < 0 || more !== undefined) return refuse('write a network, such as 10.0.0.0/8, or an IP address')
    if (bits === undefined) return `${address}/${longest}`
    if (!/^\d{1,3}$/.test(bits) || Number(bits) > longest) return refuse(`the prefix must be from 0 to ${longest} bits`)
    return value
  })
}

/** A name of a site: exact or `*.suffix`; in lower case. */
export function siteName(): Schema<string> {
  return scalar({ type: 'host name', json: { type: 'string' } }, (value) => {
    const name = value.toLowerCase()
    const rest = name.startsWith('*.') ? name.slice(2) : name
    if (isIpv6(rest.replace(/^\[(.*)\]$/, '$1'))) return rest.startsWith('[') ? name : `[${name}]`
    if (rest.includes(':')) return refuse('leave the port out: hosts are compared without it')
    if (rest.includes('*')) return refuse('a * may only stand for the first label, such as *.shop.example')
    return isHost(rest)
      ? name.replace(/\.$/, '')
      : refuse('must be a host name, such as shop.example or *.shop.example')
  })
}

/** A host name or IP address without a port. */
export function plainHost(): Schema<string> {
  return text({ type: 'host name', pattern: hostName, must: 'must be a host name without port' })
}
