/**
 * One lease as its holder sees it: granted, renewed, tied to keys, ended. Records everything, for the checkers and for
 * the holder's own decisions.
 *
 * - E1  What is recorded of the server's promise counts from the moment the request was sent: the holder cannot know when
 *       it arrived. The bound on drift is taken off: the leader's clock may run fast by so much.
 */
import type { CoordinationEngine } from '../../../engine/coordination/index.ts'
import type { LeaseRecord } from '../../history/index.ts'
import type { Machine } from '../machine.ts'
import type { ClientWorld } from './kv-client.ts'
import { leaseGrant, put, range } from './requests.ts'

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly unknown: boolean; readonly code?: string }

export class LeaseSession {
  readonly id: bigint
  readonly ttlMs: number
  /** The holder knows that it is gone. */
  gone = false
  private readonly world: ClientWorld
  private sequence = 0
  private puts = 0
  /** The keys that are known to be tied to it. */
  private readonly keys: string[] = []

  private constructor(world: ClientWorld, id: bigint, ttlMs: number, sentMs: number) {
    this.world = world
    this.id = id
    this.ttlMs = ttlMs
    this.record({ event: 'granted', sentMs, atMs: world.recorder.nowMs, ttlMs: this.owedMs(ttlMs) })
  }

  /** A key was tied to it for certain. */
  get hasKeys(): boolean {
    return this.keys.length > 0
  }

  /** Asks for a lease. Undefined when it did not come about, or nobody knows. */
  static grant(
    world: ClientWorld,
    machine: Machine,
    ttlSeconds: number,
    done: (session: LeaseSession | undefined) => void,
  ): void {
    const sentMs = world.recorder.nowMs
    const { request, bytes } = leaseGrant(ttlSeconds)
    world.calls.make<{ id: bigint; ttlMs: number } | undefined>(
      machine,
      (node, answer) =>
        node.services.engine.leaseGrant(request, bytes, (outcome) =>
          answer(outcome.ok ? { id: outcome.id, ttlMs: outcome.ttlSeconds * 1000 } : undefined),
        ),
      (answer) => {
        if (answer.kind !== 'answered' || answer.value === undefined) return done(undefined)
        world.recorder.count('lease granted')
        done(new LeaseSession(world, answer.value.id, answer.value.ttlMs, sentMs))
      },
    )
  }

  renew(machine: Machine, done: (renewed: boolean) => void): void {
    const sentMs = this.world.recorder.nowMs
    this.world.calls.make<number | undefined>(
      machine,
      (node, answer) =>
        node.services.leaseClient.keepAlive(this.id, (outcome) => answer(outcome.ok ? outcome.ttlSeconds : undefined)),
      (answer) => {
        const ttlSeconds = answer.kind === 'answered' ? answer.value : undefined
        if (ttlSeconds === undefined) return done(false)
        if (ttlSeconds <= 0) {
          this.noteGone()
          return done(false)
        }
        const ttlMs = this.owedMs(ttlSeconds * 1000)
        this.record({ event: 'renewed', sentMs, atMs: this.world.recorder.nowMs, ttlMs })
        this.world.recorder.count('lease renewed')
        done(true)
      },
    )
  }

  /** Puts a key tied to the lease. */
  attach(machine: Machine, key: string, value: string, done: (attached: boolean) => void): void {
    const { request, bytes } = put(key, value, this.id)
    const finish = this.beginPut(machine, key, value)
    this.call(
      machine,
      (engine, answer) =>
        engine.put(request, bytes, (outcome) =>
          answer(
            outcome.ok
              ? { ok: true, value: outcome.revision }
              : { ok: false, unknown: outcome.outcome === 'unknown', code: outcome.code },
          ),
        ),
      (outcome: Outcome<number>) => {
        finish(outcome)
        if (!outcome.ok && outcome.code === 'LEASE_NOT_FOUND') this.noteGone()
        done(outcome.ok)
      },
    )
  }

  /**
   * A key is about to be put with the lease, perhaps on a condition: notes what comes of it. The write is an operation like
   * any other; when nobody knows whether it happened, nobody knows which keys the lease takes with it, either.
   */
  beginPut(machine: Machine, key: string, value: string): (outcome: Outcome<number>) => void {
    const { recorder } = this.world
    const client = `lease-${this.id.toString(16)}-${this.puts++}`
    const begun = {
      type: 'operation',
      client,
      node: machine.name,
      invokedMs: recorder.nowMs,
      input: { op: 'put', key, value },
    } as const
    const unknown = { ...begun, outcome: 'unknown', error: 'no answer' } as const
    const finish = recorder.beginOperation(unknown)
    const removal = [...this.keys, key].map((each) => ({ op: 'delete', key: each }) as const)
    const finishEnd = recorder.beginOperation({
      ...unknown,
      client: `${client}-end`,
      input: { op: 'txn', compares: [], success: removal, failure: [] },
    })
    return (outcome) => {
      if (outcome.ok) {
        this.keys.push(key)
        const returnedMs = recorder.nowMs
        finish({ ...begun, returnedMs, outcome: 'ok', output: { revision: outcome.value } })
        finishEnd(undefined)
        this.record({ event: 'attached', key, revision: outcome.value, atMs: returnedMs })
      } else if (!outcome.unknown) {
        finish({ ...begun, returnedMs: recorder.nowMs, outcome: 'failed' })
        finishEnd(undefined)
      }
      // Else both stay open: they may have happened, may yet, or never.
    }
  }

  /** Reads, linearizably, which keys of the lease's own prefix are still there. */
  readKeys(machine: Machine, prefix: string, done: (keys: readonly string[] | undefined) => void): void {
    const { request } = range(prefix, `${prefix}~`, false)
    this.call(
      machine,
      (engine, answer) =>
        engine.range(request, (outcome) => {
          if (!outcome.ok) return answer({ ok: false, unknown: true })
          const keys = outcome.refs.map((ref) => outcome.store.key(ref))
          outcome.pin?.close()
          answer({ ok: true, value: keys })
        }),
      (outcome: Outcome<readonly string[]>) => {
        if (!outcome.ok) return done(undefined)
        if (outcome.value.length > 0)
          this.record({ event: 'keys', atMs: this.world.recorder.nowMs, keys: outcome.value })
        done(outcome.value)
      },
    )
  }

  /** Asks for its end. Whatever the answer, from now on the lease may be gone. */
  revoke(machine: Machine, done: (gone: boolean) => void): void {
    const sentMs = this.world.recorder.nowMs
    // Written down before anything can show its end.
    const sequence = this.sequence++
    this.call(
      machine,
      (engine, answer) =>
        engine.leaseRevoke(this.id, 'user', (outcome) =>
          answer(
            outcome.ok || outcome.code === 'LEASE_NOT_FOUND' ? { ok: true, value: true } : { ok: false, unknown: true },
          ),
        ),
      (outcome: Outcome<boolean>) => {
        const atMs = outcome.ok ? { atMs: this.world.recorder.nowMs } : {}
        this.world.recorder.add({
          type: 'lease',
          lease: this.id.toString(16),
          sequence,
          what: { event: 'revoked', sentMs, ...atMs },
        })
        if (outcome.ok) this.noteGone()
        done(outcome.ok)
      },
    )
  }

  /** Something showed that the lease is gone. */
  noteGone(): void {
    if (this.gone) return
    this.gone = true
    this.world.recorder.count('lease gone')
    this.record({ event: 'gone', atMs: this.world.recorder.nowMs })
  }

  /** How long a lease of `ttlMs` lasts at least, by true time. */
  private owedMs(ttlMs: number): number {
    return ttlMs / (1 + this.world.driftPpm / 1e6)
  }

  private call<T>(
    machine: Machine,
    begin: (engine: CoordinationEngine, answer: (outcome: Outcome<T>) => void) => void,
    done: (outcome: Outcome<T>) => void,
  ): void {
    this.world.calls.make<Outcome<T>>(
      machine,
      (node, answer) => begin(node.services.engine, answer),
      (answer) => done(answer.kind === 'answered' ? answer.value : { ok: false, unknown: answer.kind === 'lost' }),
    )
  }

  private record(what: LeaseRecord['what']): void {
    this.world.recorder.add({ type: 'lease', lease: this.id.toString(16), sequence: this.sequence++, what })
  }
}
