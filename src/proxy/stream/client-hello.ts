/**
 * Reads the server name out of the first message of a TLS connection, without taking part in it.
 *
 *   record     = type 22 | version 2 | length 2 | fragment                                     (RFC 8446 §5.1)
 *   handshake  = type 1 | length 3 | ClientHello, over as many records as it takes             (RFC 8446 §4, §5.1)
 *   hello      = version 2 | random 32 | session id 0..32 | cipher suites 2.. | compression 1.. | extensions 2.. (§4.1.2)
 *   extension  = type 2 | length 2 | data;  server_name (0) = list length 2 | name type 0 | length 2 | host name (RFC 6066 §3)
 *
 * Names are compared without case and written in ASCII. With encrypted ClientHello (RFC 9849) the outer hello's name is
 * what is seen, which is what the client meant for whoever routes it.
 */

export type ClientHelloResult =
  | { readonly type: 'more' }
  /** `serverName` in lower case; undefined when the client named none. */
  | { readonly type: 'done'; readonly serverName: string | undefined }
  | { readonly type: 'refuse'; readonly reason: string }

/** Records and all. Hellos with post-quantum key shares take about 2 KiB. */
export const clientHelloBytesMax = 16 << 10

const recordBytesMax = 1 << 14
/** A hello in records of one octet would be looked through again with each of them. */
const recordsMax = 64
const hostNamePattern = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/
const more: ClientHelloResult = { type: 'more' }

/** Looks at all the bytes that arrived so far. Never throws, and keeps nothing. */
export function readClientHello(bytes: Uint8Array): ClientHelloResult {
  const joined = joinFragments(bytes)
  if (typeof joined === 'string') return { type: 'refuse', reason: joined }
  if (joined === undefined) {
    return bytes.length >= clientHelloBytesMax
      ? { type: 'refuse', reason: `the ClientHello is longer than ${clientHelloBytesMax} bytes` }
      : more
  }
  const serverName = serverNameOf(new HelloReader(joined))
  return serverName === null ? { type: 'refuse', reason: 'the ClientHello is malformed' } : { type: 'done', serverName }
}

/** The body of the ClientHello; undefined while it is not complete; a reason when it cannot become one. */
function joinFragments(bytes: Uint8Array): Uint8Array | string | undefined {
  const fragments: Uint8Array[] = []
  let held = 0
  let wanted = -1
  for (let at = 0; at < bytes.length; ) {
    if (bytes[at] !== 22) return 'does not begin with a TLS handshake'
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return 'the TLS version is not known'
    if (at + 5 > bytes.length) return undefined
    const length = (bytes[at + 3]! << 8) | bytes[at + 4]!
    // Empty handshake fragments are forbidden (RFC 8446 §5.1), and would let a peer send records for ever.
    if (length === 0 || length > recordBytesMax) return `a TLS record of ${length} bytes`
    const fragment = bytes.subarray(at + 5, at + 5 + length)
    if (fragments.push(fragment) > recordsMax) return `a ClientHello in more than ${recordsMax} records`
    held += fragment.length
    if (wanted < 0) {
      const start = fragments.length === 1 ? fragment : Buffer.concat(fragments)
      if (start.length > 0 && start[0] !== 1) return 'the first TLS message is not a ClientHello'
      if (start.length >= 4) wanted = 4 + ((start[1]! << 16) | (start[2]! << 8) | start[3]!)
      if (wanted > clientHelloBytesMax) return `the ClientHello is longer than ${clientHelloBytesMax} bytes`
    }
    if (wanted >= 0 && held >= wanted) return Buffer.concat(fragments).subarray(4, wanted)
    at += 5 + length
  }
  return undefined
}

/** Null when malformed. */
function serverNameOf(hello: HelloReader): string | undefined | null {
  hello.skip(2 + 32)
  if (hello.lengthOf(1) > 32) return null
  hello.skipVector(1)
  hello.skipVector(2)
  hello.skipVector(1)
  if (hello.isAtEnd) return hello.isBroken ? null : undefined
  const extensions = hello.vector(2)
  let name: string | undefined | null
  let hasName = false
  while (!extensions.isBroken && !extensions.isAtEnd) {
    const type = extensions.number(2)
    const data = extensions.vector(2)
    if (type !== 0) continue
    // At most one of each kind (RFC 8446 §4.2).
    if (hasName) return null
    hasName = true
    name = hostNameOf(data)
    if (name === null) return null
  }
  return hello.isBroken || !hello.isAtEnd || extensions.isBroken ? null : name
}

function hostNameOf(data: HelloReader): string | null {
  const list = data.vector(2)
  if (!data.isAtEnd || list.number(1) !== 0) return null
  const name = list.vector(2).text().toLowerCase()
  // One name of a type (RFC 6066 §3), and no other type has ever been defined.
  if (data.isBroken || list.isBroken || !list.isAtEnd) return null
  return hostNamePattern.test(name) ? name : null
}

/** Reads forward; once past the end it is broken and reads zeros. */
class HelloReader {
  isBroken = false
  private readonly bytes: Uint8Array
  private at = 0

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.isBroken || this.at === this.bytes.length
  }

  /** The length that the vector which begins here says it has. */
  lengthOf(prefixBytes: 1 | 2): number {
    return this.peek(prefixBytes)
  }

  number(size: 1 | 2): number {
    const value = this.peek(size)
    this.skip(size)
    return value
  }

  skip(length: number): void {
    if (this.at + length > this.bytes.length) this.isBroken = true
    else this.at += length
  }

  skipVector(prefixBytes: 1 | 2): void {
    this.skip(this.number(prefixBytes))
  }

  vector(prefixBytes: 1 | 2): HelloReader {
    const length = this.number(prefixBytes)
    const from = this.at
    this.skip(length)
    const inner = new HelloReader(this.bytes.subarray(from, from + length))
    inner.isBroken = this.isBroken
    return inner
  }

  text(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length).toString('latin1')
  }

  private peek(size: 1 | 2): number {
    if (this.isBroken || this.at + size > this.bytes.length) {
      this.isBroken = true
      return 0
    }
    return size === 1 ? this.bytes[this.at]! : (this.bytes[this.at]! << 8) | this.bytes[this.at + 1]!
  }
}
