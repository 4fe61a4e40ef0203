/**
 * Transactions on ZooKeeper's multi: read what the transaction names, decide, and apply the writes in one multi that
 * holds only if nothing that was decided upon has changed. When something has, the multi certainly did nothing, and it
 * begins again.
 *
 * - T1  A transaction that writes is sent once after each read; only a refusal by the server (nothing was applied) or a
 *       connection that ended before anything was sent leads to another attempt.
 * - T2  One that writes nothing and names several keys is a multi of checks alone, so that its answer is one moment's
 *       state. Of a single key a read is enough.
 */
import { errorCodes, type MultiResult, type RequestOf } from '../../../wire/zookeeper/index.ts'
import type { Entry, Key, LeaseId, Revision, TransactionResult } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Call } from './call.ts'
import { holds, type State } from './compares.ts'
import type { Reply, ServerConnection } from './connection.ts'
import { ConnectionLost, leaseNotFound, refused } from './errors.ts'
import type { KeyPaths } from './key-paths.ts'
import { type Pins, readPins } from './pins.ts'
import { type CheckedTransaction, type KeyOperation, leaseOf, type Plan, planOf } from './plan.ts'
import type { Reads } from './reads.ts'
import { answered, makeNodes, revisionOf, saysSessionIsGone } from './requests.ts'
import type { ServerSession } from './session.ts'

const retryPauseMsMax = 50

/** The session of a lease; undefined when it is not one of this driver. */
export type SessionOfLease = (leaseId: LeaseId) => ServerSession | undefined

interface Snapshot {
  readonly state: State
  readonly pins: Pins
  /** Of the last read. */
  readonly revision: Revision
}

export interface TransactionGround {
  readonly session: ServerSession
  readonly sessionOfLease: SessionOfLease
  readonly reads: Reads
  readonly paths: KeyPaths
  readonly acl: RequestOf<'create'>['acl']
}

export class Transactions {
  readonly #ground: TransactionGround

  constructor(ground: TransactionGround) {
    this.#ground = ground
  }

  async run(call: Call, taken: CheckedTransaction): Promise<TransactionResult> {
    if (taken.keys.length === 0) return this.#runEmpty(call)
    for (let attempt = 0; ; attempt++) {
      call.check()
      const snapshot = await this.#read(call, taken.keys)
      const succeeded = taken.compares.every((compare) => holds(compare, snapshot.state))
      const done = await this.#apply(call, succeeded ? taken.success : taken.failure, taken, snapshot)
      if (done !== undefined) return { succeeded, ...done }
      if (attempt > 0) await call.pause(call.outside.random.float() * Math.min(retryPauseMsMax, 2 ** attempt))
    }
  }

  /** No key at all: it only tells the revision. */
  #runEmpty(call: Call): Promise<TransactionResult> {
    const { reads, paths } = this.#ground
    return reads.onConnection(call, async (connection) => {
      reads.sync(connection)
      const reply = await connection.send('exists', { path: paths.root, watch: false })
      answered(reply, 'read the root')
      return { succeeded: true, revision: revisionOf(reply.zxid), results: [] }
    })
  }

  #read(call: Call, keys: readonly Key[]): Promise<Snapshot> {
    const { reads, paths, acl } = this.#ground
    return reads.onConnection(call, async (connection, floor) => {
      for (;;) {
        call.check()
        reads.sync(connection)
        const [pins, results] = await Promise.all([
          readPins(call, connection, paths, keys, acl),
          Promise.all(keys.map((key) => reads.readKey(connection, key, floor))),
        ])
        if (pins === 'made') continue
        const state = new Map<Key, Entry | undefined>(keys.map((key, at) => [key, results[at]!.entry]))
        return { state, pins, revision: results.at(-1)!.revision }
      }
    })
  }

  /** Undefined: what was read is no longer so, and nothing was applied. */
  async #apply(
    call: Call,
    operations: readonly KeyOperation[],
    { compares, keys }: CheckedTransaction,
    { state, pins, revision }: Snapshot,
  ): Promise<Pick<TransactionResult, 'revision' | 'results'> | undefined> {
    const { paths, acl } = this.#ground
    const compared = new Set(compares.map(({ key }) => key))
    const plan = planOf(operations, { compared, state, pins, paths, acl })
    const leaseId = leaseOf(operations)
    // T2.
    if (!plan.writesAnything && keys.length === 1) return { revision, results: plan.results([], revision) }
    const sent = await this.#send(call, plan, leaseId)
    if (sent === undefined) return undefined
    const { reply, results } = sent
    const failure = results.find((result) => result.op === 'error' && result.err !== errorCodes.ok)
    if (failure?.op === 'error') return this.#onRefusal(call, plan, results, failure.err)
    this.#ground.session.saw(reply.zxid)
    const appliedAt = revisionOf(reply.zxid)
    return { revision: appliedAt, results: plan.results(results, appliedAt) }
  }

  async #send(
    call: Call,
    plan: Plan,
    leaseId: LeaseId,
  ): Promise<{ reply: Reply<'multi'>; results: readonly MultiResult[] } | undefined> {
    const connection = await this.#connectionFor(call, leaseId)
    call.check()
    call.writeUnderWay = plan.writesAnything
    let reply: Reply<'multi'>
    try {
      reply = await connection.send('multi', plan.steps)
    } catch (error) {
      if (plan.writesAnything && error instanceof ConnectionLost) throw fateUnknown(error)
      if (error instanceof ConnectionLost) return undefined
      throw error
    }
    call.writeUnderWay = false
    if (saysSessionIsGone(reply.err)) {
      this.#sessionFor(leaseId).expire()
      return undefined
    }
    if (reply.body !== undefined) return { reply, results: reply.body }
    if (uncertain.has(reply.err)) throw fateUnknown(refused(reply.err, 'apply a transaction'))
    return { reply, results: [{ op: 'error', err: reply.err }] }
  }

  #sessionFor(leaseId: LeaseId): ServerSession {
    const session = leaseId === 0n ? this.#ground.session : this.#ground.sessionOfLease(leaseId)
    if (session === undefined) throw leaseNotFound()
    return session
  }

  #connectionFor(call: Call, leaseId: LeaseId): Promise<ServerConnection> {
    return this.#sessionFor(leaseId).connected(call)
  }

  async #onRefusal(call: Call, plan: Plan, results: readonly MultiResult[], err: number): Promise<undefined> {
    switch (err) {
      case errorCodes.badVersion:
      case errorCodes.nodeExists:
        return undefined
      case errorCodes.noNode:
        if (plan.steps[results.findIndex((result) => result.op === 'error' && result.err === err)]?.op !== 'check')
          await this.#makeDirectories(call, plan)
        return undefined
      default:
        throw refused(err, 'apply a transaction')
    }
  }

  /** Containers: the server removes those that have become empty, after a minute or so. */
  async #makeDirectories(call: Call, plan: Plan): Promise<void> {
    const { reads, paths, acl } = this.#ground
    const directories = [...new Set(plan.created.flatMap((key) => paths.directoriesAbove(key)))]
    if (directories.length === 0) return
    await reads.onConnection(call, (connection) => makeNodes(connection, directories, 'createContainer', acl))
  }
}

const uncertain: ReadonlySet<number> = new Set([
  errorCodes.connectionLoss,
  errorCodes.operationTimeout,
  errorCodes.requestTimeout,
  errorCodes.systemError,
])

function fateUnknown(cause: Error): SynodError {
  return new SynodError(
    'UNAVAILABLE',
    'the connection to ZooKeeper went before it answered a write: it may have been applied; read to find out',
    { outcome: 'unknown', cause },
  )
}
