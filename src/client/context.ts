/** What every primitive of a plane is made with. */
import { type BinaryString, binaryString, utf8Bytes } from '../base/index.ts'
import type { Driver, Key } from './driver/index.ts'
import { SynodError } from './errors.ts'
import type { Sessions } from './sessions/index.ts'
import type { Tracing } from './tracing.ts'

export interface PlaneContext {
  readonly driver: Driver
  readonly sessions: Sessions
  readonly tracing: Tracing
  /** Before every key, the program's own and those of the primitives. Usually empty. */
  readonly namespace: Key
}

/** The folders of the primitives' keys under `synod/`. */
export type Room =
  | 'locks'
  | 'rwlocks'
  | 'semaphores'
  | 'elections'
  | 'barriers'
  | 'counters'
  | 'once'
  | 'ids'
  | 'rate-limits'
  | 'schedules'
  | 'queues'
  | 'config'
  | 'registry'
  | 'fences'
  | 'floors'
  // Where sessions are keys, on Redis.
  | 'sessions'

const nameBytesMax = 512

/**
 * The key `synod/ROOM/NAME/part/part`. A name's own `/` and `%` are escaped, so that no two names share keys; empty names,
 * names of more than 512 bytes and halves of a surrogate pair, which have no UTF-8, throw `INVALID_ARGUMENT`.
 */
export function roomKey(context: Pick<PlaneContext, 'namespace'>, room: Room, name: string, ...parts: string[]): Key {
  return `${context.namespace}synod/${room}/${[escapedName(name), ...parts].join('/')}`
}

/** All keys of a room: `synod/ROOM/`. */
export function roomPrefix(context: Pick<PlaneContext, 'namespace'>, room: Room): Key {
  return `${context.namespace}synod/${room}/`
}

function escapedName(name: string): BinaryString {
  if (/\p{Surrogate}/u.test(name))
    throw new SynodError('INVALID_ARGUMENT', 'a name has one half of a surrogate pair: it was cut within a character')
  const bytes = binaryString(utf8Bytes(name))
  if (bytes.length === 0 || bytes.length > nameBytesMax)
    throw new SynodError('INVALID_ARGUMENT', `a name has 1 to ${nameBytesMax} bytes, this one has ${bytes.length}`)
  return bytes.replaceAll('%', '%25').replaceAll('/', '%2F')
}

/** The name that {@link roomKey} escaped. */
export function unescapedName(escaped: BinaryString): string {
  return Buffer.from(escaped.replaceAll('%2F', '/').replaceAll('%25', '%'), 'latin1').toString('utf8')
}

/** The end of the range of all keys that begin with `prefix`; `''` when there is none above. */
export function prefixEnd(prefix: Key): Key {
  let length = prefix.length
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--
  if (length === 0) return ''
  return prefix.slice(0, length - 1) + String.fromCharCode(prefix.charCodeAt(length - 1) + 1)
}
