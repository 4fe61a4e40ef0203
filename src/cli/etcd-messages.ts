/** The etcd v3 messages that the command line sends and reads. Field numbers are etcd's. */
import { bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../base/index.ts'

export interface KeyValue {
  key: Uint8Array
  value: Uint8Array
  createRevision: number
  modRevision: number
  version: number
  lease: bigint
}

export function decodeKeyValue(bytes: Uint8Array): KeyValue {
  const kv: KeyValue = {
    key: new Uint8Array(0),
    value: new Uint8Array(0),
    createRevision: 0,
    modRevision: 0,
    version: 0,
    lease: 0n,
  }
  const reader = new ProtobufReader(bytes)
  while (reader.next()) {
    switch (reader.tag) {
      case bytesTag(1):
        reader.bytes()
        kv.key = reader.view()
        break
      case varintTag(2):
        kv.createRevision = reader.number()
        break
      case varintTag(3):
        kv.modRevision = reader.number()
        break
      case varintTag(4):
        kv.version = reader.number()
        break
      case bytesTag(5):
        reader.bytes()
        kv.value = reader.view()
        break
      case varintTag(6):
        kv.lease = reader.int64()
        break
      default:
        reader.skip()
    }
  }
  return kv
}

/** A decoded message: its numbers and byte strings by field number, repeated ones in order. */
export interface Fields {
  number(field: number): number
  int64(field: number): bigint
  bytes(field: number): Uint8Array
  text(field: number): string
  all(field: number): readonly Uint8Array[]
  fields(field: number): Fields
}

/** Reads any message generically: enough for a command line, where nothing is hot. */
export function decodeFields(message: Uint8Array): Fields {
  const numbers = new Map<number, bigint>()
  const strings = new Map<number, Uint8Array[]>()
  const reader = new ProtobufReader(message)
  while (reader.next()) {
    const field = reader.tag >>> 3
    if ((reader.tag & 7) === 0) numbers.set(field, reader.int64())
    else if ((reader.tag & 7) === 2) {
      reader.bytes()
      const list = strings.get(field) ?? []
      list.push(reader.view())
      strings.set(field, list)
    } else reader.skip()
  }
  const last = (field: number) => strings.get(field)?.at(-1) ?? new Uint8Array(0)
  return {
    number: (field) => Number(numbers.get(field) ?? 0n),
    int64: (field) => numbers.get(field) ?? 0n,
    bytes: last,
    text: (field) => Buffer.from(last(field)).toString('utf8'),
    all: (field) => strings.get(field) ?? [],
    fields: (field) => decodeFields(last(field)),
  }
}

/** A member of the cluster. */
export interface MemberFields {
  readonly id: bigint
  readonly name: string
  readonly peerUrls: readonly string[]
  readonly clientUrls: readonly string[]
  readonly isLearner: boolean
}

export function decodeMember(bytes: Uint8Array): MemberFields {
  const fields = decodeFields(bytes)
  const texts = (field: number): string[] => fields.all(field).map((text) => Buffer.from(text).toString('utf8'))
  return {
    id: BigInt.asUintN(64, fields.int64(1)),
    name: fields.text(2),
    peerUrls: texts(3),
    clientUrls: texts(4),
    isLearner: fields.number(5) === 1,
  }
}

/** The members in field `field` of a response. */
export function decodeMembers(response: Uint8Array, field: number): readonly MemberFields[] {
  return decodeFields(response).all(field).map(decodeMember)
}

/** The end of the range of all keys that begin with `key`; '\0' (all keys from `key` on) when there is no such end. */
export function prefixEnd(key: Uint8Array): Uint8Array {
  for (let i = key.length - 1; i >= 0; i--) {
    if (key[i]! === 0xff) continue
    const end = Buffer.from(key.subarray(0, i + 1))
    end[i]!++
    return end
  }
  return new Uint8Array([0])
}

/** The key and range end of KEY, or of all keys with the prefix KEY. The empty prefix means all keys. */
export function keyRange(key: string, prefix: boolean): { key: Uint8Array; end: Uint8Array } {
  const bytes = Buffer.from(key, 'utf8')
  if (!prefix) return { key: bytes, end: new Uint8Array(0) }
  return bytes.length === 0
    ? { key: new Uint8Array([0]), end: new Uint8Array([0]) }
    : { key: bytes, end: prefixEnd(bytes) }
}

export function encode(body: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter()
  body(writer)
  return writer.finish()
}

/** A key or value for people: text when it is UTF-8, else with escapes. */
export function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('utf8')
  return Buffer.from(text, 'utf8').equals(bytes) ? text : JSON.stringify(Buffer.from(bytes).toString('latin1'))
}

/** A key-value for `--json`: text where it is UTF-8, else base64 under a name that says so. */
export function jsonOf(kv: KeyValue): Record<string, unknown> {
  const field = (name: string, bytes: Uint8Array) => {
    const text = Buffer.from(bytes).toString('utf8')
    return Buffer.from(text, 'utf8').equals(bytes)
      ? { [name]: text }
      : { [`${name}Base64`]: Buffer.from(bytes).toString('base64') }
  }
  return {
    ...field('key', kv.key),
    ...field('value', kv.value),
    createRevision: kv.createRevision,
    modRevision: kv.modRevision,
    version: kv.version,
    ...(kv.lease === 0n ? {} : { lease: kv.lease.toString(16) }),
  }
}
