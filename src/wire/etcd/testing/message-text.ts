import { ProtobufReader } from '../../../base/index.ts'

/** Names of fields by number, those of sub-messages nested; `text` marks strings and bytes. */
export interface Shape {
  readonly [number: number]: string | readonly [name: string, shape: Shape | 'text']
}

/** A message as one readable line, its header left out unless the shape names it. */
export function messageText(bytes: Uint8Array, shape: Shape): string {
  const reader = new ProtobufReader(bytes)
  const fields: string[] = []
  while (reader.next()) {
    const known = shape[reader.tag >>> 3]
    if (known === undefined) reader.skip()
    else if (typeof known === 'string') fields.push(`${known}=${reader.int64()}`)
    else {
      reader.bytes()
      const [name, inner] = known
      fields.push(`${name}=${inner === 'text' ? reader.binaryString() : `(${messageText(reader.view(), inner)})`}`)
    }
  }
  if (reader.malformed) fields.push('MALFORMED')
  return fields.join(' ')
}

const header: Shape = { 3: 'revision' }
const keyValue: Shape = { 1: ['key', 'text'], 3: 'mod', 4: 'version', 5: ['value', 'text'] }
const event: Shape = { 1: 'type', 2: ['kv', keyValue], 3: ['prev', keyValue] }

export const watchResponseShape: Shape = {
  1: ['header', header],
  2: 'id',
  3: 'created',
  4: 'canceled',
  5: 'compacted',
  6: ['reason', 'text'],
  7: 'fragment',
  11: ['event', event],
}
export const leaseResponseShape: Shape = {
  1: ['header', header],
  2: 'id',
  3: 'ttl',
  4: 'granted',
  5: ['key', 'text'],
}
