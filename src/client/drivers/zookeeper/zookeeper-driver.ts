import { type AccessRule, creatorOnly, errorCodes, openToAll } from '../../../wire/zookeeper/index.ts'
import type {
  CallOptions,
  ClientRuntime,
  Driver,
  DriverCapabilities,
  GetResult,
  Key,
  KeyRange,
  LeaseAnswer,
  LeaseId,
  ListOptions,
  ListResult,
  ObserveSink,
  ReadOptions,
  Subscription,
  Transaction,
  TransactionResult,
} from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { type Call, Calls } from './call.ts'
import { ConnectionLost, driverClosed } from './errors.ts'
import { KeyPaths } from './key-paths.ts'
import { Leases } from './leases.ts'
import { Observers } from './observers.ts'
import { settingsOf, type ZooKeeperDriverOptions, type ZooKeeperSettings } from './options.ts'
import { checked, checkKey } from './plan.ts'
import { Reads } from './reads.ts'
import { answered, makeNodes } from './requests.ts'
import { ServerSession } from './session.ts'
import { Transactions } from './transactions.ts'

const farewellTimeoutMs = 500

/**
 * Opens a driver on a ZooKeeper ensemble of version 3.6 or newer. Resolves when a server has granted a session and the
 * root node is there.
 *
 * Only drivers like this one should write below the root: transactions do not notice a key that another program makes
 * between their read and their write (`pins.ts`).
 *
 * @throws SynodError `INVALID_ARGUMENT`; `TIMEOUT` when no server answers; `UNAUTHENTICATED`, `PERMISSION_DENIED`.
 */
export async function openZooKeeperDriver(options: ZooKeeperDriverOptions, outside: ClientRuntime): Promise<Driver> {
  const driver = new ZooKeeperDriver(settingsOf(options), outside)
  try {
    await driver.open()
    return driver
  } catch (error) {
    await driver.close()
    throw nobodyThere(error, options)
  }
}

/** At the start a time-out means that nobody is there, and who was asked is what there is to check. */
function nobodyThere(error: unknown, { servers }: ZooKeeperDriverOptions): unknown {
  if (!(error instanceof SynodError) || error.code !== 'TIMEOUT') return error
  const asked = servers.map(({ host, port }) => `${host}:${port}`).join(', ')
  return new SynodError(
    'UNAVAILABLE',
    `no ZooKeeper server let us in (${asked}). Check the addresses, and that the ensemble runs and has a leader.`,
    { cause: error },
  )
}

class ZooKeeperDriver implements Driver {
  readonly engine = 'zookeeper'
  readonly can: DriverCapabilities = {
    history: false,
    atRevision: false,
    rangeInTransaction: false,
    leaseChangeKeepsVersion: false,
  }
  readonly outside: ClientRuntime
  readonly #paths: KeyPaths
  readonly #acl: readonly AccessRule[]
  readonly #calls: Calls
  readonly #session: ServerSession
  readonly #reads: Reads
  readonly #transactions: Transactions
  readonly #leases: Leases
  readonly #observers: Observers
  #closed: Promise<void> | undefined

  constructor(settings: ZooKeeperSettings, outside: ClientRuntime) {
    this.outside = outside
    this.#paths = new KeyPaths(settings.root)
    this.#acl = settings.digest === undefined ? openToAll : creatorOnly
    this.#calls = new Calls(outside, settings.requestTimeoutMs)
    this.#session = new ServerSession(
      settings,
      {
        timeoutMs: settings.sessionTimeoutMs,
        isReplaceable: true,
        onWatch: (event) => this.#observers.onWatch(event),
        onDisconnected: () => this.#observers.onDisconnected(),
      },
      outside,
    )
    this.#observers = new Observers(this.#session, this.#paths, outside)
    this.#reads = new Reads(this.#session, this.#paths)
    this.#leases = new Leases(settings, outside, (zxid) => this.#session.saw(zxid))
    this.#transactions = new Transactions({
      session: this.#session,
      sessionOfLease: (leaseId) => this.#leases.sessionOf(leaseId),
      reads: this.#reads,
      paths: this.#paths,
      acl: this.#acl,
    })
  }

  open(): Promise<void> {
    const names = this.#paths.root.slice(1).split('/')
    const path = [...names.map((_, at) => `/${names.slice(0, at + 1).join('/')}`), this.#paths.pinsFolder]
    return this.#calls.run(undefined, 'connect to ZooKeeper', (call) =>
      this.#reads.onConnection(call, async (connection) => {
        await makeNodes(connection, path, 'create', this.#acl)
        // With `auth`, a root of somebody else's is found out here instead of at the first write.
        const reply = await connection.send('exists', { path: this.#paths.pinsFolder, watch: false })
        if (reply.err === errorCodes.noNode) throw new ConnectionLost('the root was removed while it was made')
        answered(reply, 'read the root')
      }),
    )
  }

  get(key: Key, options: ReadOptions = {}): Promise<GetResult> {
    return this.#calls.run(options, 'read a key', async (call) => {
      checkKey(key)
      refuseRevision(options)
      return this.#reads.get(call, key, options.stale === true)
    })
  }

  list(range: KeyRange, options: ListOptions = {}): Promise<ListResult> {
    return this.#calls.run(options, 'list a range', async (call) => {
      refuseRevision(options)
      return this.#reads.list(call, range, options)
    })
  }

  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionResult> {
    return this.#calls.run(options, 'apply a transaction', async (call) =>
      this.#transactions.run(call, checked(transaction)),
    )
  }

  grantLease(ttlMs: number, options?: CallOptions): Promise<LeaseAnswer> {
    return this.#calls.run(options, 'grant a lease', (call) => this.#leases.grant(call, ttlMs))
  }

  renewLease(leaseId: LeaseId, options?: CallOptions): Promise<LeaseAnswer> {
    return this.#calls.run(options, 'renew a lease', (call) => this.#leases.renew(call, leaseId))
  }

  revokeLease(leaseId: LeaseId, options?: CallOptions): Promise<void> {
    return this.#calls.run(options, 'end a lease', (call) => this.#leases.revoke(call, leaseId))
  }

  observe(range: KeyRange, sink: ObserveSink, options?: CallOptions): Promise<Subscription> {
    return this.#calls.run(options, 'observe a range', (call) => this.#observers.observe(call, range, sink))
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const farewell = new Calls(this.outside, farewellTimeoutMs)
    this.#calls.close()
    this.#observers.close()
    this.#leases.close()
    await farewell.run(undefined, 'close the session', (call) => this.#farewell(call)).catch(() => {})
    this.#session.end(driverClosed())
  }

  /** Spares the ensemble the wait for a session that nobody uses. */
  async #farewell(call: Call): Promise<void> {
    if (!this.#session.isConnected) return
    const connection = await this.#session.connected(call)
    await connection.send('closeSession', {})
  }
}

function refuseRevision({ revision }: ReadOptions): void {
  if (revision === undefined) return
  throw new SynodError(
    'NOT_SUPPORTED',
    'ZooKeeper keeps no history, so nothing can be read as of a revision; read without one, or use an engine that keeps history',
  )
}
