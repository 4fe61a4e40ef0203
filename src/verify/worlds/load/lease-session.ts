/**
 * One lease as its holder sees it: granted, renewed, tied to keys, ended. Records everything, for the checkers and for
 * the holder's own decisions.
 *
 * - E1  What is recorded of the server's promise counts from the moment the request was sent: the holder cannot know when
 *       it arrived.
 */
import type { CoordinationEngine } from '../../../engine/coordination/index.ts'
import type { LeaseRecord } from '../../history/index.ts'
import type { Machine } from '../machine.ts'
import type { ClientWorld } from './kv-client.ts'
import { leaseGrant, put, range } from './requests.ts'

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly unknown: boolean }

export class LeaseSession {
  readonly id: bigint
  readonly ttlMs: number
  /** Until when, at least, the server owes the lease, by true time and clocks that do not drift. */
  owedUntilMs: number
  /** The holder knows that it is gone. */
  gone = false
  private readonly world: ClientWorld
  private sequence = 0

  private constructor(world: ClientWorld, id: bigint, ttlMs: number, sentMs: number) {
    this.world = world
    this.id = id
    this.ttlMs = ttlMs
    this.owedUntilMs = sentMs + ttlMs
    this.record({ event: 'granted', sentMs, atMs: world.recorder.nowMs, ttlMs })
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
        const ttlMs = ttlSeconds * 1000
        this.record({ event: 'renewed', sentMs, atMs: this.world.recorder.nowMs, ttlMs })
        this.world.recorder.count('lease renewed')
        this.owedUntilMs = Math.max(this.owedUntilMs, sentMs + ttlMs)
        done(true)
      },
    )
  }

  /** Puts a key tied to the lease. */
  attach(machine: Machine, key: string, value: string, done: (attached: boolean) => void): void {
    const { request, bytes } = put(key, value, this.id)
    this.call(
      machine,
      (engine, answer) =>
        engine.put(request, bytes, (outcome) =>
          answer(
            outcome.ok
              ? { ok: true, value: outcome.revision }
              : { ok: false, unknown: outcome.outcome === 'unknown' || outcome.code !== 'LEASE_NOT_FOUND' },
          ),
        ),
      (outcome: Outcome<number>) => {
        if (outcome.ok) this.noteAttached(key, outcome.value)
        else if (!outcome.unknown) this.noteGone()
        done(outcome.ok)
      },
    )
  }

  noteAttached(key: string, revision: number): void {
    this.record({ event: 'attached', key, revision, atMs: this.world.recorder.nowMs })
  }

  /** Reads, linearizably, which keys of the lease's own prefix are still there. */
  readKeys(machine: Machine, prefix: string, done: (keys: readonly string[] | undefined) => void): void {
    const sentMs = this.world.recorder.nowMs
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
        if (outcome.value.length > 0) this.record({ event: 'keys', atMs: sentMs, keys: outcome.value })
        done(outcome.value)
      },
    )
  }

  /** Asks for its end. Whatever the answer, from now on the lease may be gone. */
  revoke(machine: Machine, done: (gone: boolean) => void): void {
    const sentMs = this.world.recorder.nowMs
    this.owedUntilMs = Math.min(this.owedUntilMs, sentMs)
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
