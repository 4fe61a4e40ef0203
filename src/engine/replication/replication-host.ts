/**
 * Everything on one node that its consensus groups share: the log on disk, the connections to the other nodes, the
 * clock that ticks. Owned by `node/`.
 *
 * - H1  All groups' writes go through one PersistQueue into one write-ahead log: one sync serves them all.
 * - H2  All groups' messages to a peer leave in one frame a turn; so heartbeats of many groups are one packet.
 * - H3  The first failure that makes it unsafe to go on stops all groups and is reported once.
 */
import { assert } from '../../base/index.ts'
import { type Configuration, type MemberId, noMember, type SnapshotMeta } from '../../core/index.ts'
import type { Address, Runtime, Timer } from '../../runtime/index.ts'
import { openSnapshotFiles, type SnapshotFiles, type SnapshotReader } from '../../storage/snapshot/index.ts'
import {
  openWal,
  type RecoveredGroup,
  type RecoveryReport,
  type SnapshotPosition,
  type Wal,
  type WalState,
} from '../../storage/wal/index.ts'
import { type MessageDelivery, type PeerRefusal, PeerTransport } from '../transport/index.ts'
import type { Algorithm } from './algorithm.ts'
import type { Group } from './group.ts'
import type { GroupPort } from './group-port.ts'
import { defaultGroupOptions, type GroupOptions } from './options.ts'
import { PersistQueue } from './persist-queue.ts'
import { ReplicatedGroup } from './replicated-group.ts'
import { restoreState } from './restore-state.ts'
import type { StateMachine } from './state-machine.ts'

export interface ReplicationHostSetup {
  readonly runtime: Runtime
  /** Exists, and is locked by this process. Gets `wal/` and `snap/`. */
  readonly directory: string
  readonly clusterId: bigint
  readonly memberId: MemberId
  /** Drawn when the data directory was made. */
  readonly incarnation: bigint
  readonly listen: readonly Address[]
  /** The other members, at first. */
  readonly peers: ReadonlyMap<MemberId, Address>
  /** The groups that this node hosts. */
  readonly groups: readonly number[]
  readonly options?: Partial<GroupOptions>
  readonly walSegmentBytes?: number
  /** Of the first segment of a new log. Default `walSegmentBytes`. */
  readonly walFirstSegmentBytes?: number | undefined
  /** The node cannot go on safely. Called once; nothing is acknowledged after it. */
  readonly onFailure: (error: unknown) => void
  /** Whether a member that greets with `incarnation` is the one known by that id. */
  readonly recognises: (peer: MemberId, incarnation: bigint) => boolean
  readonly onRefused: (peer: MemberId, refusal: PeerRefusal) => void
  /** Whether `peer` was a member and is none any more. Default: none was. */
  readonly isRemoved?: (peer: MemberId) => boolean
  /** Who the members are, for nodes that want to join and peers that do not know this one. Default: nothing. */
  readonly introduction?: () => Uint8Array | undefined
  /** A member that is not known here tells who the members are. Default: ignored. */
  readonly onIntroduction?: (body: Uint8Array) => void
  /** For tests: decides what becomes of messages that arrived. */
  readonly delivery?: MessageDelivery | undefined
  readonly onDiskFull?: (full: boolean) => void
  /** Each append to the log, with the time it took to be durable, in milliseconds. */
  readonly onPersisted?: (tookMs: number) => void
}

export interface GroupSetup<Result, M> {
  readonly group: number
  readonly algorithm: Algorithm<M>
  readonly machine: StateMachine<Result>
  /** The members at the very beginning of the cluster; later ones come from snapshots and the log. */
  readonly initialConfiguration: Configuration
}

interface GroupStorage {
  readonly files: SnapshotFiles
  /** At the first chunk of the newest snapshot, if there is one. */
  readonly newest: SnapshotReader | undefined
}

/** How often a full disk is looked at again, in milliseconds. */
const diskFullRetryMs = 250

export class ReplicationHost {
  private readonly setup: ReplicationHostSetup
  private readonly runtime: Runtime
  private readonly options: GroupOptions
  private readonly storage: Map<number, GroupStorage>
  private readonly groups = new Map<number, ReplicatedGroup<unknown, unknown>>()
  private wal!: Wal
  private recovered!: ReadonlyMap<number, RecoveredGroup>
  private report!: RecoveryReport
  private persistQueue!: PersistQueue
  private transport: PeerTransport | undefined
  private peers: ReadonlyMap<MemberId, Address>
  private tickTimer: Timer | undefined
  private retryTimer: Timer | undefined
  private stopped = false

  private constructor(setup: ReplicationHostSetup, storage: Map<number, GroupStorage>) {
    this.setup = setup
    this.runtime = setup.runtime
    this.options = { ...defaultGroupOptions, ...setup.options }
    this.storage = storage
    this.peers = setup.peers
  }

  /** Opens the log and the snapshots. Rejects with a WalError, SnapshotError or DiskError that says what to do. */
  static async open(setup: ReplicationHostSetup): Promise<ReplicationHost> {
    const { runtime, directory, clusterId, memberId } = setup
    const storage = new Map<number, GroupStorage>()
    for (const group of setup.groups) {
      const files = await openSnapshotFiles({
        disk: runtime.disk,
        directory: `${directory}/snap`,
        logger: runtime.logger,
        group,
        clusterId,
        memberId,
      })
      storage.set(group, { files, newest: (await files.openNewest()).reader })
    }
    const host = new ReplicationHost(setup, storage)
    await host.openLog()
    return host
  }

  /** What opening the log found. */
  get recovery(): RecoveryReport {
    return this.report
  }

  /** Restores a group's state and creates its consensus core. It stands still until `start`. */
  async addGroup<Result, M>(setup: GroupSetup<Result, M>): Promise<ReplicatedGroup<Result, M>> {
    const storage = await this.restore(setup)
    const recovered = this.recovered.get(setup.group)
    const snapshot = storage.newest?.meta ?? { index: 0, term: 0, configuration: setup.initialConfiguration }
    const group = new ReplicatedGroup<Result, M>({
      memberId: this.setup.memberId,
      port: this.portOf(setup.group),
      options: this.options,
      algorithm: setup.algorithm,
      machine: setup.machine,
      files: storage.files,
      restore: {
        hardState: recovered?.hardState ?? { term: 0, votedFor: noMember },
        snapshot,
        entries: recovered?.entries ?? [],
      },
    })
    this.groups.set(setup.group, group as ReplicatedGroup<unknown, unknown>)
    return group
  }

  /**
   * Restores the state from the newest snapshot that can be. One that is whole and cannot be restored all the same (of a
   * later version, or written wrong) is passed over for the one before it, to which the log reaches back.
   */
  private async restore({ group, machine }: Pick<GroupSetup<unknown, unknown>, 'group' | 'machine'>) {
    for (;;) {
      const storage = this.storage.get(group)
      assert(storage !== undefined, 'the group was named when the host was opened')
      const { files, newest } = storage
      if (newest === undefined) return storage
      const older = await restoreState(newest, files, machine, (path, reason) => {
        this.runtime.logger.error('a snapshot cannot be restored; taking the one before it', { path, reason })
      })
      if (older === undefined) return storage
      this.storage.set(group, { files, newest: older })
      await this.wal.close()
      await this.openLog()
    }
  }

  /** Listens for peers, dials them, and lets time pass. Rejects with a ListenError. */
  async start(): Promise<void> {
    const { setup } = this
    this.transport = await PeerTransport.open(this.runtime, {
      clusterId: setup.clusterId,
      self: setup.memberId,
      incarnation: setup.incarnation,
      listen: setup.listen,
      peers: this.peers,
      onMessage: (from, kind, group, payload) =>
        this.guard(() => this.groups.get(group)?.onMessage(from, kind, payload)),
      onPeerLost: (peer) =>
        this.guard(() => {
          for (const group of this.groups.values()) group.onPeerLost(peer)
        }),
      recognises: setup.recognises,
      onRefused: setup.onRefused,
      isRemoved: setup.isRemoved ?? (() => false),
      introduction: setup.introduction ?? (() => undefined),
      onIntroduction: (body) => this.guard(() => setup.onIntroduction?.(body)),
      delivery: setup.delivery,
    })
    // Somebody may have been let in, and told of others, while the listeners opened.
    this.transport.setPeers(this.peers)
    this.scheduleTick()
  }

  /** Where peers are listened for, with real ports. */
  get peerAddresses(): readonly Address[] {
    return this.transport?.addresses ?? []
  }

  /** Who the other members are from now on, and where. What is sent to anyone else is dropped. */
  setPeers(peers: ReadonlyMap<MemberId, Address>): void {
    this.peers = peers
    this.transport?.setPeers(peers)
  }

  isConnected(peer: MemberId): boolean {
    return this.transport?.isConnected(peer) ?? false
  }

  get peerBytesSent(): number {
    return this.transport?.sentBytes ?? 0
  }

  get walState(): WalState {
    return this.wal.state
  }

  group(number: number): Group<unknown> | undefined {
    return this.groups.get(number)
  }

  /** Ends everything in order; what is under way is answered as `stopped`. */
  async close(): Promise<void> {
    this.halt()
    await this.transport?.close()
    // Their files must be at rest before the directory's lock is given back.
    await Promise.all([...this.groups.values()].map((group) => group.settled()))
    await this.wal.close()
  }

  private async openLog(): Promise<void> {
    const { runtime, directory, clusterId, memberId } = this.setup
    const snapshots = new Map(
      [...this.storage].flatMap(([group, { newest }]) =>
        newest === undefined ? [] : [[group, this.positionOf(newest.meta)]],
      ),
    )
    const opened = await openWal({
      disk: runtime.disk,
      directory: `${directory}/wal`,
      logger: runtime.logger,
      random: runtime.random.fork('wal'),
      nodeTag: { clusterId, memberId },
      segmentBytes: this.setup.walSegmentBytes,
      firstSegmentBytes: this.setup.walFirstSegmentBytes,
      snapshots,
      onStateChange: (state) => this.onWalState(state),
      onFailure: (error) => this.fail(error),
    })
    this.wal = opened.wal
    this.recovered = opened.groups
    this.report = opened.report
    this.persistQueue = new PersistQueue(opened.wal, runtime, {
      guard: (work) => this.guard(work),
      observe: (tookMs) => this.setup.onPersisted?.(tookMs),
      fail: (error) => this.fail(error),
    })
  }

  /** Entries at and before a snapshot come back too, as a tail for slow followers. */
  private positionOf({ index, term }: SnapshotMeta): SnapshotPosition {
    return { index, term, keepFrom: Math.max(1, index - this.options.tailCount) }
  }

  private portOf(group: number): GroupPort {
    return {
      runtime: this.runtime,
      send: (to, kind, payload) => this.transport?.send(to, { kind, group, payload }),
      isConnected: (peer) => this.isConnected(peer),
      persist: (write, onDurable) => this.persistQueue.add({ ...write, group }, onDurable),
      release: (index) => {
        this.wal.release(group, index).catch((error: unknown) => this.fail(error))
      },
      guard: (work) => this.guard(work),
    }
  }

  private readonly tick = (): void => {
    this.scheduleTick()
    this.guard(() => {
      const nowMs = this.runtime.clock.monotonicMs()
      for (const group of this.groups.values()) group.onTick(nowMs)
    })
  }

  private scheduleTick(): void {
    if (!this.stopped) this.tickTimer = this.runtime.scheduler.setTimer(this.options.tickMs, this.tick)
  }

  private onWalState(state: WalState): void {
    if (state !== 'open' && state !== 'full') return
    const full = state === 'full'
    this.setup.onDiskFull?.(full)
    for (const group of this.groups.values()) group.setDiskFull(full)
    if (full) this.scheduleRetry()
  }

  private scheduleRetry(): void {
    this.retryTimer = this.runtime.scheduler.setTimer(diskFullRetryMs, () => {
      if (this.stopped || this.wal.state !== 'full') return
      this.wal.retry()
      this.scheduleRetry()
    })
  }

  /** Runs `work`; a broken invariant in it ends the node (H3). */
  private guard(work: () => void): void {
    if (this.stopped) return
    try {
      work()
    } catch (error) {
      this.fail(error)
    }
  }

  private fail(error: unknown): void {
    if (this.stopped) return
    this.halt()
    this.setup.onFailure(error)
  }

  private halt(): void {
    this.stopped = true
    this.tickTimer?.cancel()
    this.retryTimer?.cancel()
    for (const group of this.groups.values()) group.stop()
  }
}
