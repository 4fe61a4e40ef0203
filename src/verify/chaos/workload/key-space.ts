/**
 * The hot keys. Few are in use at a time, so that clients meet on them; each group of keys is left after some hundred
 * operations for a fresh one, so that what is unknown about one group does not make the search over its history grow
 * without bound. No operation spans groups.
 */
import type { Prng } from '../../../base/index.ts'
import type { KvEntry } from '../../history/index.ts'

/** All keys that the key-value clients use, and that watchers follow, lie from `keysBegin` up to, not including, `keysEnd`. */
export const keysBegin = 'kv/'
export const keysEnd = 'kv0'

const groupsAtOnce = 5
const keysOfGroup = ['a', 'b', 'c']
const operationsOfGroupMax = 300

/** Some keys that operations may span. */
export interface KeyGroup {
  readonly keys: readonly string[]
  /** The range of its keys. */
  readonly begin: string
  readonly end: string
}

export class KeySpace {
  private readonly random: Prng
  private readonly groups: { group: KeyGroup; operations: number }[]
  private made = 0
  /** What was last seen of a key by any client: good guesses for conditions. */
  private readonly seen = new Map<string, KvEntry | null>()

  constructor(random: Prng) {
    this.random = random
    this.groups = Array.from({ length: groupsAtOnce }, () => ({ group: this.make(), operations: 0 }))
  }

  /** A group for one operation. */
  take(): KeyGroup {
    const slot = this.groups[this.random.below(groupsAtOnce)]!
    if (slot.operations++ >= operationsOfGroupMax) {
      for (const key of slot.group.keys) this.seen.delete(key)
      slot.group = this.make()
      slot.operations = 1
    }
    return slot.group
  }

  note(key: string, entry: KvEntry | undefined): void {
    this.seen.set(key, entry ?? null)
  }

  /** Null: seen absent. Undefined: never seen. */
  lastSeen(key: string): KvEntry | null | undefined {
    return this.seen.get(key)
  }

  private make(): KeyGroup {
    const begin = `${keysBegin}${this.made++}/`
    return { begin, end: `${begin.slice(0, -1)}0`, keys: keysOfGroup.map((key) => begin + key) }
  }
}
