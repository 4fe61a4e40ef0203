/**
 * The header that a load balancer puts in front of a connection to say whose it is: the PROXY protocol, versions 1 and 2
 * (haproxy.org/download/2.6/doc/proxy-protocol.txt, sections in parentheses).
 *
 * Version 1 (§2.1), text, at most 107 bytes:
 *   "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP source port SP destination port CRLF
 *   "PROXY" SP "UNKNOWN" *any CRLF
 *
 * Version 2 (§2.2), binary, big endian:
 *   signature 12 | version 2 and command 4+4 bits | family and transport 4+4 bits | length 16 | addresses | TLVs
 *   a TLV: type 8 | length 16 | value
 *
 * Of the TLVs only the checksum (PP2_TYPE_CRC32C, §2.2.3) is heeded.
 *
 * Strict where §2 says "must": a header that is not exactly this is refused, and what follows it is not touched.
 */
import { crc32c } from '../../base/index.ts'
import type { Address } from '../../runtime/index.ts'
import { ipv4Bytes, ipv4Text, ipv6Bytes, ipv6Text } from '../ip/index.ts'

/** What has been made of the first bytes of a connection. */
export type ProxyHeaderResult =
  /** A header may still come of it. */
  | { readonly type: 'more' }
  | {
      readonly type: 'done'
      /** The header's bytes; the connection's own begin after them. */
      readonly lengthBytes: number
      /** Undefined where the sender vouches for none (LOCAL, UNKNOWN, UNSPEC, UNIX): the socket's own addresses hold. */
      readonly source: Address | undefined
      readonly destination: Address | undefined
    }
  | { readonly type: 'refuse'; readonly reason: string }

/** Longest version 1 header, CRLF included (§2.1). */
const version1BytesMax = 107
const version2FixedBytes = 16
/** Addresses and TLVs of version 2: §2.2 says that 216 bytes must fit, and that TLVs may need more. */
const version2VariableBytesMax = 2048

/** No header is longer: a receiver need not hold more. */
export const proxyHeaderBytesMax = version2FixedBytes + version2VariableBytesMax

/** PP2_TYPE_CRC32C. */
const checksumType = 0x03

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const version1Start = Buffer.from('PROXY ', 'latin1')
const more: ProxyHeaderResult = { type: 'more' }

/** Reads the header at the start of `bytes`, all that arrived so far. Never throws, and keeps nothing. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeaderResult {
  if (startsAlike(bytes, signature)) return bytes.length < version2FixedBytes ? more : readVersion2(bytes)
  if (startsAlike(bytes, version1Start)) return readVersion1(bytes)
  return refuse('does not begin with a PROXY header')
}

function startsAlike(bytes: Uint8Array, pattern: Uint8Array): boolean {
  const length = Math.min(bytes.length, pattern.length)
  for (let i = 0; i < length; i++) if (bytes[i] !== pattern[i]) return false
  return true
}

function readVersion1(bytes: Uint8Array): ProxyHeaderResult {
  const searched = bytes.subarray(0, version1BytesMax)
  const lineFeed = searched.indexOf(10)
  if (lineFeed < 0) return bytes.length < version1BytesMax ? more : refuse('the line is longer than 107 bytes')
  if (searched[lineFeed - 1] !== 13) return refuse('the line does not end with CRLF')
  const line = Buffer.from(searched.subarray(0, lineFeed - 1)).toString('latin1')
  const lengthBytes = lineFeed + 1
  // A receiver must ignore all that follows UNKNOWN (§2.1).
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN '))
    return { type: 'done', lengthBytes, source: undefined, destination: undefined }
  const parts = line.split(' ')
  const [, family, sourceHost, destinationHost, sourcePort, destinationPort] = parts
  if (parts.length !== 6 || (family !== 'TCP4' && family !== 'TCP6')) return refuse('the line is malformed')
  const bytesOf = family === 'TCP4' ? ipv4Bytes : ipv6Bytes
  const source = endOf(sourceHost!, sourcePort!, bytesOf)
  const destination = endOf(destinationHost!, destinationPort!, bytesOf)
  if (source === undefined || destination === undefined) return refuse(`not a ${family} address and port`)
  return { type: 'done', lengthBytes, source, destination }
}

/** Ports have no leading zeros (§2.1), which makes one spelling of each. */
function endOf(host: string, port: string, bytesOf: (text: string) => Uint8Array | undefined): Address | undefined {
  const bytes = bytesOf(host)
  if (bytes === undefined || !/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 0xffff) return undefined
  return { host: bytes.length === 4 ? ipv4Text(bytes) : ipv6Text(bytes), port: Number(port) }
}

function readVersion2(bytes: Uint8Array): ProxyHeaderResult {
  const version = bytes[12]! >> 4
  const command = bytes[12]! & 0xf
  if (version !== 2) return refuse(`version ${version} is not known`)
  if (command > 1) return refuse(`command ${command} is not known`)
  const variableBytes = (bytes[14]! << 8) | bytes[15]!
  if (variableBytes > version2VariableBytesMax)
    return refuse(`${variableBytes} bytes of addresses and TLVs are more than the ${version2VariableBytesMax} taken`)
  const lengthBytes = version2FixedBytes + variableBytes
  const family = bytes[13]! >> 4
  const transport = bytes[13]! & 0xf
  if (family > 3 || transport > 2) return refuse('the address family or transport is not known')
  const addressBytes = family === 1 ? 4 : 16
  // Checked before all has arrived, so that a liar is not waited for. LOCAL's address block must be ignored (§2.2).
  const hasAddresses = command === 1 && (family === 1 || family === 2) && transport !== 0
  if (hasAddresses && variableBytes < 2 * addressBytes + 4) return refuse('the address block is too short')
  if (hasAddresses && transport !== 1) return refuse('the connection proxied is not a stream')
  if (bytes.length < lengthBytes) return more
  if (!hasAddresses) return { type: 'done', lengthBytes, source: undefined, destination: undefined }
  const fault = tlvFault(bytes.subarray(0, lengthBytes), version2FixedBytes + 2 * addressBytes + 4)
  if (fault !== undefined) return refuse(fault)
  const text = family === 1 ? ipv4Text : ipv6Text
  const at = version2FixedBytes
  const ports = at + 2 * addressBytes
  const end = (index: 0 | 1): Address => ({
    host: text(bytes.subarray(at + index * addressBytes, at + (index + 1) * addressBytes)),
    port: (bytes[ports + 2 * index]! << 8) | bytes[ports + 2 * index + 1]!,
  })
  return { type: 'done', lengthBytes, source: end(0), destination: end(1) }
}

/** What is wrong with the TLVs of `header`, which begin at `start`. */
function tlvFault(header: Uint8Array, start: number): string | undefined {
  for (let at = start; at < header.length; ) {
    const value = at + 3
    const end = value + ((header[at + 1]! << 8) | header[at + 2]!)
    if (value > header.length || end > header.length) return 'a TLV goes on past the header'
    if (header[at] === checksumType) {
      if (end - value !== 4) return 'a checksum has 4 bytes'
      if (!isChecksumRight(header, value)) return 'the checksum is not that of the header'
    }
    at = end
  }
  return undefined
}

/** §2.2.3: of the whole header, with zeros where the checksum stands, at `at`. */
function isChecksumRight(header: Uint8Array, at: number): boolean {
  const without = new Uint8Array(header)
  const checksum = crc32c(without.fill(0, at, at + 4))
  return checksum === ((header[at]! << 24) | (header[at + 1]! << 16) | (header[at + 2]! << 8) | header[at + 3]!) >>> 0
}

function refuse(reason: string): ProxyHeaderResult {
  return { type: 'refuse', reason }
}
