/** Values that travel beside messages, and which of them may. */
import { RpcError } from './rpc-error.ts'

/** Text is printable ASCII; bytes have names that end in `-bin`. */
export type MetadataValue = string | Uint8Array

/**
 * Values that travel beside a message; names in lower case. Binary ones end in `-bin`. A name that came several times has
 * its values joined by `, `; of binary ones the first.
 */
export type Metadata = ReadonlyMap<string, MetadataValue>

/** What a program may give for metadata. */
export type MetadataInit = Metadata | Readonly<Record<string, MetadataValue>>

export const noMetadata: Metadata = new Map()

/** Names that the transports keep for themselves. */
const reservedNames = new Set(['content-type', 'te', 'user-agent', 'host', 'connection', 'content-length', 'trailer'])
/** Of gRPC's own names the one that programs write: a serialized `google.rpc.Status`. */
export const detailsName = 'grpc-status-details-bin'
/** The bound on the metadata that one side sends: names and values together. Receivers have bounds of their own. */
export const metadataBytesMax = 32 << 10

/** Whether a name may be a program's. Lower case. */
export function isMetadataName(name: string): boolean {
  if (name === detailsName) return true
  return /^[0-9a-z_.-]+$/.test(name) && !name.startsWith('grpc-') && !reservedNames.has(name)
}

/** Checked, with names in lower case. Throws `INVALID_ARGUMENT`. */
export function metadataFrom(init: MetadataInit | undefined): Metadata {
  if (init === undefined) return noMetadata
  const pairs = init instanceof Map ? init.entries() : Object.entries(init as Record<string, MetadataValue>)
  const metadata = new Map<string, MetadataValue>()
  let byteLength = 0
  for (const [given, value] of pairs) {
    const name = given.toLowerCase()
    checkMetadata(name, value)
    byteLength += name.length + value.length
    metadata.set(name, value)
  }
  if (byteLength > metadataBytesMax) {
    throw refused(`metadata of ${byteLength} bytes is more than the ${metadataBytesMax} that may be sent: send less`)
  }
  return metadata
}

/** Throws `INVALID_ARGUMENT` for what cannot be sent. */
export function checkMetadata(name: string, value: MetadataValue): void {
  if (!isMetadataName(name)) {
    throw refused(`metadata may not be called '${name}': use a-z, 0-9, _, - and ., and no name that transports keep`)
  }
  if (name.endsWith('-bin') !== value instanceof Uint8Array) {
    throw refused(`metadata '${name}' must be ${name.endsWith('-bin') ? 'bytes' : 'text: bytes need a name in -bin'}`)
  }
  if (typeof value === 'string' && !/^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/.test(value)) {
    throw refused(`metadata '${name}' must be printable ASCII without spaces at its ends: send it as '${name}-bin'`)
  }
}

function refused(message: string): RpcError {
  return new RpcError('INVALID_ARGUMENT', message)
}
