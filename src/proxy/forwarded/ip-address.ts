/**
 * IP addresses as numbers. Both families become 16 bytes, IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2), so that
 * `10.0.0.1` and `::ffff:10.0.0.1` are the same address, as a dual-stack socket reports it.
 */

/** Eight groups of 16 bits, most significant first. */
export type IpGroups = readonly number[]

const decimalOctet = /^(0|[1-9]\d{0,2})$/
const hexGroup = /^[0-9a-f]{1,4}$/i

/** Reads an address without port, brackets or zone; undefined when it is none. */
export function parseIp(text: string): IpGroups | undefined {
  if (text.length > 45) return undefined
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text)
}

/** Whether `groups` is an IPv4 address. */
export function isIpv4(groups: IpGroups): boolean {
  return groups[5] === 0xffff && groups[0] === 0 && !groups.slice(1, 5).some((group) => group !== 0)
}

function parseIpv4(text: string): IpGroups | undefined {
  const octets = readOctets(text)
  return octets === undefined ? undefined : [0, 0, 0, 0, 0, 0xffff, ...octets]
}

/** The two groups of a dotted quad. Octal-looking octets (`010`) are refused: others read them differently. */
function readOctets(text: string): [number, number] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  const octets: number[] = []
  for (const part of parts) {
    if (!decimalOctet.test(part) || Number(part) > 255) return undefined
    octets.push(Number(part))
  }
  return [octets[0]! * 256 + octets[1]!, octets[2]! * 256 + octets[3]!]
}

function parseIpv6(text: string): IpGroups | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const left = readGroups(halves[0]!, halves.length === 1)
  const right = halves.length === 2 ? readGroups(halves[1]!, true) : []
  if (left === undefined || right === undefined) return undefined
  const missing = 8 - left.length - right.length
  // `::` stands for at least one group (RFC 5952 §4.2.2 asks writers, not readers; a full address with `::` is malformed).
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  return [...left, ...new Array<number>(missing).fill(0), ...right]
}

/** Groups between colons; the last may be a dotted quad where `mayEndInQuad`. */
function readGroups(text: string, mayEndInQuad: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const quad = mayEndInQuad && index === parts.length - 1 ? readOctets(part) : undefined
      if (quad === undefined) return undefined
      groups.push(...quad)
    } else if (hexGroup.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return groups
}
