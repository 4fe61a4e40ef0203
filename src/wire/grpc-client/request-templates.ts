/**
 * The header lists of one connection's requests, each made once.
 *
 * I1. A list is kept by its path, its metadata array (by identity) and its time-out's text; all three dimensions are
 *     bounded, and emptied when full.
 */
import { type FieldPair, fieldOverheadBytes, type HeaderTemplate, type HpackEncoder } from '../http2/index.ts'
import type { ChannelSettings } from './options.ts'
import type { CallMetadata } from './replies.ts'

const pathsMax = 256
const metadataMax = 8
const timeoutsMax = 128
/** Of the 4,096 bytes that every server's header table has. */
const memorableBytesMax = 2_048

const noCallMetadata: CallMetadata = []

/** The fields that every request of a channel carries. */
export function memorableFieldsOf(settings: ChannelSettings): readonly FieldPair[] {
  const fields: FieldPair[] = [
    [':authority', settings.authority],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['user-agent', settings.userAgent],
    ...settings.metadata,
  ]
  let leftBytes = memorableBytesMax
  return fields.filter(([name, value]) => {
    leftBytes -= name.length + value.length + fieldOverheadBytes
    return leftBytes >= 0
  })
}

/** Whether `metadata` may be sent: names that gRPC leaves to callers, values of printable ASCII. */
export function isMetadataValid(metadata: CallMetadata): boolean {
  return metadata.every(
    ([name, value]) =>
      /^[0-9a-z_.-]+$/.test(name) &&
      !name.startsWith('grpc-') &&
      !reservedNames.has(name) &&
      /^([\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?)?$/.test(value),
  )
}

const reservedNames = new Set(['content-type', 'te', 'user-agent', 'host', 'connection', 'content-length'])

export class RequestTemplates {
  private readonly encoder: HpackEncoder
  private readonly settings: ChannelSettings
  private readonly byPath = new Map<string, Map<CallMetadata, Map<string, HeaderTemplate>>>()

  constructor(encoder: HpackEncoder, settings: ChannelSettings) {
    this.encoder = encoder
    this.settings = settings
  }

  /** The list for a call; `undefined` when its metadata is not allowed. */
  find(path: string, metadata: CallMetadata = noCallMetadata, timeoutText = ''): HeaderTemplate | undefined {
    const byTimeout = slot(slot(this.byPath, path, pathsMax), metadata, metadataMax)
    let template = byTimeout.get(timeoutText)
    if (template === undefined) {
      if (!isMetadataValid(metadata)) return undefined
      template = this.make(path, metadata, timeoutText)
      if (byTimeout.size >= timeoutsMax) byTimeout.clear()
      byTimeout.set(timeoutText, template)
    }
    return template
  }

  private make(path: string, metadata: CallMetadata, timeoutText: string): HeaderTemplate {
    const { scheme, authority, userAgent } = this.settings
    const fields: FieldPair[] = [
      [':method', 'POST'],
      [':scheme', scheme],
      [':path', path],
      [':authority', authority],
      ['content-type', 'application/grpc'],
      ['te', 'trailers'],
      ['user-agent', userAgent],
      ...this.settings.metadata,
      ...metadata,
    ]
    if (timeoutText !== '') fields.push(['grpc-timeout', timeoutText])
    return this.encoder.template(fields)
  }
}

function slot<Key, Inner, Value>(map: Map<Key, Map<Inner, Value>>, key: Key, sizeMax: number): Map<Inner, Value> {
  let inner = map.get(key)
  if (inner === undefined) {
    inner = new Map()
    if (map.size >= sizeMax) map.clear()
    map.set(key, inner)
  }
  return inner
}

/**
 * `grpc-timeout`, rounded up to two digits: few texts, so that equal calls have equal header blocks. The caller keeps
 * the exact deadline itself.
 */
export function grpcTimeoutText(timeoutMs: number): string {
  const whole = Math.max(1, Math.ceil(timeoutMs))
  const step = 10 ** Math.max(0, String(whole).length - 2)
  const rounded = Math.ceil(whole / step) * step
  return rounded < 1e8 ? `${rounded}m` : `${Math.min(99_999_999, Math.ceil(rounded / 1_000))}S`
}
