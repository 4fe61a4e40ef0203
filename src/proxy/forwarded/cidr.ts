/** Sets of networks in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3). */
import { type IpGroups, isIpv4Mapped, parseIp } from '../ip/index.ts'

/** A network: the addresses that share its first `prefixBits` bits (of 128; IPv4 counts from bit 96). */
export interface Cidr {
  readonly groups: IpGroups
  readonly prefixBits: number
}

/**
 * Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address. Bits behind the prefix are ignored. Undefined when malformed.
 */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/')
  const groups = parseIp(slash === -1 ? text : text.slice(0, slash))
  if (groups === undefined) return undefined
  if (slash === -1) return { groups, prefixBits: 128 }
  const bits = text.slice(slash + 1)
  if (!/^\d{1,3}$/.test(bits)) return undefined
  // Written as IPv6 (`::ffff:0:0/96`), the prefix already counts from the first of 128 bits.
  const isDotted = isIpv4Mapped(groups) && !text.includes(':')
  const prefixBits = Number(bits) + (isDotted ? 96 : 0)
  return prefixBits > 128 ? undefined : { groups, prefixBits }
}

/** A set of networks. */
export interface CidrSet {
  /** Whether `address` (IPv4, IPv6 or IPv4-mapped; no port) lies in one of them. What is no address lies in none. */
  has(address: string): boolean
  readonly size: number
}

/**
 * Makes a set of networks; a lookup is linear in their number.
 *
 * @throws RangeError when one is malformed: the configuration's reader checks them with {@link parseCidr} first.
 */
export function cidrSet(networks: readonly string[]): CidrSet {
  const parsed = networks.map((network) => {
    const cidr = parseCidr(network)
    if (cidr === undefined)
      throw new RangeError(`${JSON.stringify(network)} is no network: write 10.0.0.0/8 or 2001:db8::/32`)
    return cidr
  })
  return new NetworkList(parsed)
}

class NetworkList implements CidrSet {
  private readonly networks: readonly Cidr[]

  constructor(networks: readonly Cidr[]) {
    this.networks = networks
  }

  get size(): number {
    return this.networks.length
  }

  has(address: string): boolean {
    if (this.networks.length === 0) return false
    // A link-local address may carry its zone (`fe80::1%eth0`), which is no part of a network.
    const zone = address.indexOf('%')
    const groups = parseIp(zone === -1 ? address : address.slice(0, zone))
    return groups !== undefined && this.networks.some((network) => contains(network, groups))
  }
}

function contains(network: Cidr, groups: IpGroups): boolean {
  let bits = network.prefixBits
  for (let i = 0; bits > 0; i++, bits -= 16) {
    const shift = bits >= 16 ? 0 : 16 - bits
    if (groups[i]! >> shift !== network.groups[i]! >> shift) return false
  }
  return true
}
