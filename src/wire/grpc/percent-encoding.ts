/** `grpc-message` values travel as UTF-8 with everything but printable ASCII, and `%` itself, percent-encoded. */
export function encodeGrpcMessage(message: string): string {
  if (isPlain(message)) return message
  let encoded = ''
  for (const byte of Buffer.from(message, 'utf8')) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== percent
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** The inverse. What is not a valid escape is taken as it stands, as the specification asks. */
export function decodeGrpcMessage(encoded: string): string {
  if (!encoded.includes('%')) return encoded
  const bytes: number[] = []
  for (let i = 0; i < encoded.length; i++) {
    const hex = encoded.slice(i + 1, i + 3)
    if (encoded.charCodeAt(i) === percent && /^[0-9a-fA-F]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16))
      i += 2
    } else {
      bytes.push(encoded.charCodeAt(i) & 0xff)
    }
  }
  return Buffer.from(bytes).toString('utf8')
}

const percent = 0x25

function isPlain(message: string): boolean {
  for (let i = 0; i < message.length; i++) {
    const unit = message.charCodeAt(i)
    if (unit < 0x20 || unit > 0x7e || unit === percent) return false
  }
  // RFC 9113 §8.2.1: no space at either end of a field value.
  return !message.startsWith(' ') && !message.endsWith(' ')
}
