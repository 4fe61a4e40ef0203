/** IP addresses as bytes, numbers and text: IPv4 dotted, IPv6 as RFC 4291 §2.2 reads it and RFC 5952 §4 writes it. */

/** The longest text of one: eight groups, the last two as a dotted quad. */
const textLengthMax = 45

const ipv4Pattern = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const groupPattern = /^[0-9a-f]{1,4}$/i

/** The four bytes of an IPv4 address; undefined when it is none. Leading zeros are refused: readers differ on them. */
export function ipv4Bytes(text: string): Uint8Array | undefined {
  return ipv4Pattern.test(text) ? Uint8Array.from(text.split('.'), Number) : undefined
}

/** The sixteen bytes of an IPv6 address, without zone; undefined when it is none. */
export function ipv6Bytes(text: string): Uint8Array | undefined {
  if (text.length > textLengthMax || !text.includes(':')) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const front = groupsOf(halves[0]!, halves.length === 1)
  const back = halves.length === 2 ? groupsOf(halves[1]!, true) : []
  if (front === undefined || back === undefined) return undefined
  const missing = 8 - front.length - back.length
  // `::` stands for one group at least (RFC 5952 §4.2.2 would not even write it for one, but readers take it).
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const bytes = new Uint8Array(16)
  const groups = [...front, ...new Array<number>(missing).fill(0), ...back]
  groups.forEach((group, i) => {
    bytes[2 * i] = group >> 8
    bytes[2 * i + 1] = group & 0xff
  })
  return bytes
}

/** Groups of one side of `::`; the last may be a dotted IPv4 address, which is two. */
function groupsOf(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (isLast && i === parts.length - 1 && part.includes('.')) {
      const tail = ipv4Bytes(part)
      if (tail === undefined) return undefined
      groups.push((tail[0]! << 8) | tail[1]!, (tail[2]! << 8) | tail[3]!)
    } else if (groupPattern.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else return undefined
  }
  return groups.length > 8 ? undefined : groups
}

export function ipv4Text(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
}

/** The longest run of zero groups becomes `::` (RFC 5952 §4.2). */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
  let bestAt = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && groups[i + length] === 0) length++
    if (length > bestLength) {
      bestAt = i
      bestLength = length
    }
  }
  const write = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return bestAt < 0 ? write(0, 8) : `${write(0, bestAt)}::${write(bestAt + bestLength, 8)}`
}

/**
 * Eight groups of 16 bits, most significant first. IPv4 stands in its IPv4-mapped form (RFC 4291 §2.5.5.2), so that
 * `10.0.0.1` and `::ffff:10.0.0.1` are the same address, as a dual-stack socket reports it.
 */
export type IpGroups = readonly number[]

/** Reads an address of either family without port, brackets or zone; undefined when it is none. */
export function parseIp(text: string): IpGroups | undefined {
  const four = ipv4Bytes(text)
  if (four !== undefined) return [0, 0, 0, 0, 0, 0xffff, (four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!]
  const bytes = ipv6Bytes(text)
  return bytes && Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!)
}

/** Whether `groups` is an IPv4 address. */
export function isIpv4Mapped(groups: IpGroups): boolean {
  return groups[5] === 0xffff && groups[0] === 0 && !groups.slice(1, 5).some((group) => group !== 0)
}

export function isIpv4(text: string): boolean {
  return ipv4Bytes(text) !== undefined
}

export function isIpv6(text: string): boolean {
  return ipv6Bytes(text) !== undefined
}
