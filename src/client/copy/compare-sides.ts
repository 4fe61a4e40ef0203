/** Walks both planes side by side and tells how they differ. Says what a copy would do, and afterwards whether it did. */
import { createHash, type Hash } from 'node:crypto'
import { binaryStringToBytes, equalBytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Key, Revision } from '../driver/index.ts'
import { readSide } from './side.ts'
import { roomOf } from './what-moves.ts'

/** How the two sides compare, over the keys that move. */
export interface Comparison {
  /** Of the source. */
  keys: number
  bytes: number
  /** Not in the target. */
  missing: number
  equal: number
  /** In both, with different values. */
  different: number
  /** The first of them; relative. */
  readonly differentKeys: Key[]
  /** In the target only. */
  extra: number
  /** Of the source: what hangs on leases, and what means something only there. */
  leased: number
  staying: number
  /** Keys of the source by room; the program's own are `kv`. */
  readonly rooms: Record<string, number>
  /** SHA-256 over the source's keys and the values that each side has for them, hexadecimal. Equal when the copy is. */
  fromDigest: string
  toDigest: string
}

export interface CompareOptions {
  readonly prefixes: readonly Key[]
  readonly fromRevision?: Revision | undefined
  readonly signal?: AbortSignal | undefined
  readonly onKey?: (keys: number) => void
}

const differentKeysMax = 10

export async function compareSides(from: PlaneContext, to: PlaneContext, options: CompareOptions): Promise<Comparison> {
  const { prefixes, fromRevision, signal, onKey } = options
  const told: Comparison = {
    ...{ keys: 0, bytes: 0, missing: 0, equal: 0, different: 0, differentKeys: [], extra: 0, leased: 0, staying: 0 },
    ...{ rooms: {}, fromDigest: '', toDigest: '' },
  }
  const onStaying = (fate: 'leased' | 'stays'): void => {
    if (fate === 'leased') told.leased++
    else told.staying++
  }
  const [fromHash, toHash] = [createHash('sha256'), createHash('sha256')]
  const targets = readSide(to, { prefixes, signal })
  let target = await targets.next()
  for await (const { key, entry } of readSide(from, { prefixes, revision: fromRevision, signal, onStaying })) {
    while (target.done !== true && target.value.key < key) {
      told.extra++
      target = await targets.next()
    }
    const room = roomOf(key) ?? 'kv'
    told.keys++
    told.bytes += key.length + entry.value.length
    told.rooms[room] = (told.rooms[room] ?? 0) + 1
    add(fromHash, key, entry.value)
    if (target.done !== true && target.value.key === key) {
      add(toHash, key, target.value.entry.value)
      if (equalBytes(entry.value, target.value.entry.value)) told.equal++
      else {
        told.different++
        if (told.differentKeys.length < differentKeysMax) told.differentKeys.push(key)
      }
      target = await targets.next()
    } else {
      told.missing++
    }
    onKey?.(told.keys)
  }
  for (; target.done !== true; target = await targets.next()) told.extra++
  told.fromDigest = fromHash.digest('hex')
  told.toDigest = toHash.digest('hex')
  return told
}

/** Each with its length before it, so that no two lists of pairs give the same bytes. */
function add(hash: Hash, key: Key, value: Uint8Array): void {
  const lengths = Buffer.alloc(8)
  lengths.writeUInt32BE(key.length, 0)
  lengths.writeUInt32BE(value.length, 4)
  hash.update(lengths).update(binaryStringToBytes(key)).update(value)
}
