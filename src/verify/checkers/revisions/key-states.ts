/** The state of all keys during a replay by revisions, with what is not known left open. */
import type { KvCompare, KvEntry } from '../../history/index.ts'

/** What is known of a key: nothing (undefined), that it is absent, or some of its fields. */
export type KnownState = 'absent' | KvEntry | undefined

export class KeyStates {
  private readonly states = new Map<string, KnownState>()

  constructor(entries: readonly KvEntry[]) {
    for (const entry of entries) this.states.set(entry.key, entry)
  }

  get(key: string): KnownState {
    return this.states.has(key) ? this.states.get(key) : 'absent'
  }

  /** The keys that may be there. */
  keys(): Iterable<string> {
    return this.states.keys()
  }

  /** `value` null deletes. */
  write(key: string, value: string | null, revision: number): void {
    this.states.set(key, value === null ? 'absent' : putOver(this.get(key), key, value, revision))
  }

  forget(key: string): void {
    this.states.set(key, undefined)
  }

  /** Takes over what was seen of a key, where nothing contradicts it. */
  learn(key: string, seen: 'absent' | KvEntry): void {
    const known = this.get(key)
    this.states.set(key, seen === 'absent' || known === undefined || known === 'absent' ? seen : { ...known, ...seen })
  }

  /** Undefined: not known. A compare with the value of an absent key never holds, as in etcd. */
  holds({ key, target, relation, operand }: KvCompare): boolean | undefined {
    const state = this.get(key)
    if (state === undefined) return undefined
    if (target === 'value') return state === 'absent' ? false : related(state.value, relation, String(operand))
    const left = state === 'absent' ? 0 : state[target]
    return left === undefined ? undefined : related(left, relation, Number(operand))
  }
}

function putOver(before: KnownState, key: string, value: string, revision: number): KvEntry {
  if (before === 'absent') return { key, value, modRevision: revision, createRevision: revision, version: 1 }
  const after = { key, value, modRevision: revision }
  if (before === undefined) return after
  return {
    ...after,
    ...(before.createRevision === undefined ? {} : { createRevision: before.createRevision }),
    ...(before.version === undefined ? {} : { version: before.version + 1 }),
  }
}

function related<T extends string | number>(left: T, relation: KvCompare['relation'], right: T): boolean {
  if (relation === '=') return left === right
  if (relation === '!=') return left !== right
  return relation === '<' ? left < right : left > right
}

/** Why `seen` cannot be the state that is known; undefined if it can. */
export function contradiction(key: string, seen: 'absent' | KvEntry, known: KnownState): string | undefined {
  if (known === undefined) return undefined
  if (known === 'absent') return seen === 'absent' ? undefined : `${key} is shown with ${shown(seen)}, but is absent`
  if (seen === 'absent') return `${key} is shown absent, but has ${shown(known)}`
  for (const field of ['value', 'modRevision', 'createRevision', 'version'] as const) {
    if (seen[field] === undefined || known[field] === undefined || seen[field] === known[field]) continue
    return `${key} is shown with ${shown(seen)}, but has ${shown(known)}`
  }
  return undefined
}

function shown({ value, modRevision, createRevision, version }: KvEntry): string {
  const fields = { value: JSON.stringify(value), modRevision, createRevision, version }
  return Object.entries(fields)
    .filter(([, content]) => content !== undefined)
    .map(([name, content]) => `${name} ${content}`)
    .join(', ')
}
