/**
 * Metadata as header fields (grpc/grpc doc/PROTOCOL-HTTP2.md, "Custom-Metadata"):
 *
 *     Custom-Metadata → Binary-Header / ASCII-Header
 *     Binary-Header   → {Header-Name "-bin"} {base64 encoded value}   sent without padding, read with or without it
 *     ASCII-Header    → Header-Name ASCII-Value
 */
import type { FieldPair, HeaderField } from '../../wire/http2/index.ts'
import { detailsName, isMetadataName, type Metadata, type MetadataValue, noMetadata } from '../service/index.ts'

/** `metadata` was checked when it was made. */
export function fieldsOfMetadata(metadata: Metadata): FieldPair[] {
  const fields: FieldPair[] = []
  for (const [name, value] of metadata) {
    fields.push([name, typeof value === 'string' ? value : base64Of(value)])
  }
  return fields
}

/** What of a header list is metadata. Binary values that are no base64 are left out. */
export function metadataOfFields(fields: readonly HeaderField[]): Metadata {
  let metadata: Map<string, MetadataValue> | undefined
  for (const { name, value } of fields) {
    if (name.charCodeAt(0) === colon || (name.startsWith('grpc-') && name !== detailsName)) continue
    if (!isMetadataName(name)) continue
    metadata ??= new Map()
    addField(metadata, name, value)
  }
  return metadata ?? noMetadata
}

const colon = 0x3a

function addField(metadata: Map<string, MetadataValue>, name: string, value: string): void {
  const before = metadata.get(name)
  if (!name.endsWith('-bin')) {
    metadata.set(name, before === undefined ? value : `${String(before)}, ${value}`)
    return
  }
  // Several values may come joined by commas; the first is kept.
  const first = value.split(',', 1)[0]!.trim()
  if (before === undefined && /^[A-Za-z0-9+/_-]*={0,2}$/.test(first)) metadata.set(name, Buffer.from(first, 'base64'))
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64').replace(/=+$/, '')
}
