/** Writes the header that `read.ts` reads; the grammar stands there. */
import type { Address } from '../../runtime/index.ts'
import { ipv4Bytes, ipv4Text, ipv6Bytes, ipv6Text } from '../ip/index.ts'

export type ProxyHeaderVersion = 1 | 2

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const streamOverIpv4 = 0x11
const streamOverIpv6 = 0x21
const commandProxy = 0x21

/**
 * The PROXY header for a connection from `source` to `destination`, of the version given. Addresses of different families
 * are both written as IPv6, the IPv4 one mapped (RFC 4291 §2.5.5.2). When one is not numeric, version 1 says UNKNOWN and
 * version 2 UNSPEC, so that the receiver uses its socket's addresses.
 */
export function encodeProxyHeader(version: ProxyHeaderVersion, source: Address, destination: Address): Uint8Array {
  const from = withoutMapping(bytesOf(source.host))
  const to = withoutMapping(bytesOf(destination.host))
  if (from === undefined || to === undefined) return version === 1 ? unknownVersion1() : version2(0, [])
  const isIpv4 = from.length === 4 && to.length === 4
  const a = isIpv4 ? from : mapped(from)
  const b = isIpv4 ? to : mapped(to)
  if (version === 2) {
    const ports = Buffer.alloc(4)
    ports.writeUInt16BE(source.port, 0)
    ports.writeUInt16BE(destination.port, 2)
    return version2(isIpv4 ? streamOverIpv4 : streamOverIpv6, [a, b, ports])
  }
  const text = isIpv4 ? ipv4Text : ipv6Text
  const family = isIpv4 ? 'TCP4' : 'TCP6'
  return Buffer.from(`PROXY ${family} ${text(a)} ${text(b)} ${source.port} ${destination.port}\r\n`, 'latin1')
}

function unknownVersion1(): Uint8Array {
  return Buffer.from('PROXY UNKNOWN\r\n', 'latin1')
}

function version2(familyAndTransport: number, parts: readonly Uint8Array[]): Uint8Array {
  const variable = Buffer.concat(parts)
  const fixed = Buffer.from([commandProxy, familyAndTransport, variable.length >> 8, variable.length & 0xff])
  return Buffer.concat([signature, fixed, variable])
}

function bytesOf(host: string): Uint8Array | undefined {
  return ipv4Bytes(host) ?? ipv6Bytes(host)
}

/** A dual-stack socket shows IPv4 peers as `::ffff:a.b.c.d`; receivers expect them as IPv4. */
function withoutMapping(bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined || bytes.length === 4) return bytes
  for (let i = 0; i < 12; i++) if (bytes[i] !== (i < 10 ? 0 : 0xff)) return bytes
  return bytes.subarray(12)
}

function mapped(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes
  const out = new Uint8Array(16)
  out[10] = out[11] = 0xff
  out.set(bytes, 12)
  return out
}
