/**
 * One node, composed: data directory, replication, the coordination engine, and the ports that serve it. The only place
 * that knows all parts. Started by the command line; runs on any Runtime, so the simulator can start it too.
 */
import { assertDefined } from '../base/index.ts'
import {
  type AutoCompaction,
  type CoordinationStateMachine,
  minLeaseTtlSeconds,
  type WatchHubOptions,
} from '../engine/coordination/index.ts'
import {
  type Algorithm,
  defaultGroupOptions,
  type GroupOptions,
  leaseReadsRaftAlgorithm,
  type ReplicatedGroup,
  ReplicationHost,
} from '../engine/replication/index.ts'
import type { MessageDelivery, PeerRefusal } from '../engine/transport/index.ts'
import type { Address, Runtime } from '../runtime/index.ts'
import { diskSecondsBounds, Histogram } from '../wire/etcd/index.ts'
import { AddressBook } from './address-book.ts'
import { ClientPorts, requestTimeoutMs } from './client-ports.ts'
import { addressOf, boundUrls, type NodeConfig } from './config/index.ts'
import { algorithms, coordinationGroup, createStateMachine } from './coordination-group.ts'
import { type CoordinationServices, startCoordination } from './coordination-services.ts'
import { checkIdentity, type DataDirectory, openDataDirectory } from './data-directory.ts'
import { DataDirectoryError } from './data-directory-error.ts'
import type { Identity } from './identity.ts'
import { joinCluster } from './join.ts'
import { MemberPublisher } from './member-publisher.ts'
import { NodeMembership } from './node-membership.ts'
import { nodeMetrics, type ProcessMetrics } from './node-metrics.ts'
import { recoverMember } from './recover.ts'
import { StallMonitor } from './stall-monitor.ts'

type CommandResult = ReturnType<CoordinationStateMachine['apply']>
type CoordinationGroup = ReplicatedGroup<CommandResult, unknown>

/** How long requests under way may take to finish when the node stops, in milliseconds. */
const drainMs = 3000

/** What a node asks of the process that it runs in. */
export interface NodeHooks {
  /** The node cannot go on safely: end the process (or drop the node). Called at most once, after `startNode` resolved. */
  readonly onFailure: (error: unknown) => void
  /** Named in the lock of the data directory. */
  readonly processId: number
  /** What is named there instead of the process, the member and its client URLs. */
  readonly owner?: string
  readonly processMetrics: () => ProcessMetrics
  /** Overrides how the group is run: the simulator's worlds make rare paths frequent with small bounds. */
  readonly groupOptions?: Partial<GroupOptions>
  readonly walSegmentBytes?: number
  /** Of the first segment of a new data directory: it is written before the node starts. Default `walSegmentBytes`. */
  readonly walFirstSegmentBytes?: number
  readonly watchOptions?: Partial<WatchHubOptions>
  /** Decides what becomes of messages that arrived from peers: lost, late, twice. */
  readonly delivery?: MessageDelivery
}

/** A node that was started. */
export interface RunningNode {
  /** With the ids that the data directory gives this member, which the settings alone may not tell. */
  readonly config: NodeConfig
  readonly services: CoordinationServices
  /** Where clients are served, with real ports. */
  readonly clientAddresses: readonly Address[]
  /** What stands behind the services, for checks of invariants. */
  inspect(): { readonly group: CoordinationGroup; readonly machine: CoordinationStateMachine }
  /**
   * Hands leadership over, lets requests finish, closes files. `handOver: false` when the other members stop too, so that
   * there is nobody to take it.
   */
  stop(options?: { readonly handOver?: boolean }): Promise<void>
}

/**
 * Starts a node; resolves once its ports are open. Whether the cluster serves is another question: the log line `ready to
 * serve client requests` answers it. Rejects with an error whose message says what to do.
 */
export async function startNode(config: NodeConfig, runtime: Runtime, hooks: NodeHooks): Promise<RunningNode> {
  const node = new SynodNode(config, runtime, hooks)
  try {
    await node.start()
  } catch (error) {
    await node.stop()
    throw error
  }
  return node
}

class SynodNode implements RunningNode {
  config: NodeConfig
  private readonly runtime: Runtime
  private readonly hooks: NodeHooks
  private readonly stalls: StallMonitor
  private readonly walSyncSeconds = new Histogram(diskSecondsBounds)
  private directory: DataDirectory | undefined
  private host: ReplicationHost | undefined
  private group: CoordinationGroup | undefined
  private machine: CoordinationStateMachine | undefined
  private coordination: CoordinationServices | undefined
  private membership: NodeMembership | undefined
  private book: AddressBook | undefined
  private ports: ClientPorts | undefined
  private publisher: MemberPublisher | undefined
  private stopping: Promise<void> | undefined
  private failed = false

  constructor(config: NodeConfig, runtime: Runtime, hooks: NodeHooks) {
    this.config = config
    this.runtime = runtime
    this.hooks = hooks
    this.stalls = new StallMonitor(runtime)
  }

  get services(): CoordinationServices {
    return assertDefined(this.coordination, 'a node that is handed out has started')
  }

  get clientAddresses(): readonly Address[] {
    return this.ports?.addresses ?? []
  }

  inspect(): { readonly group: CoordinationGroup; readonly machine: CoordinationStateMachine } {
    const why = 'a node that is handed out has started'
    return { group: assertDefined(this.group, why), machine: assertDefined(this.machine, why) }
  }

  async start(): Promise<void> {
    const { runtime } = this
    for (const url of this.config.exposedUrls)
      runtime.logger.warn('listening where other machines can reach it, without TLS (--insecure)', { url: url.text })
    const startMs = runtime.clock.monotonicMs()
    if (this.config.forceNewCluster) await this.forceNewCluster()
    this.directory = await this.openDirectory()
    const { identity } = this.directory
    const { memberId, clusterId, algorithm } = identity
    this.config = { ...this.config, memberId, clusterId, consensus: algorithm }
    if (this.config.leaseReads && algorithm !== 'raft')
      throw new DataDirectoryError(
        `--lease-reads works on Raft only, and this cluster runs ${algorithm}: leave it out.`,
      )
    const { config } = this
    this.host = await this.openHost(this.directory)
    const { machine, group } = await this.openGroup(this.host, identity)
    this.book = await AddressBook.open(runtime.disk, config.dataDir, identity.clusterId, (error) => this.fail(error))
    this.membership = this.composeMembership(this.host, this.book, identity, machine, group)
    this.group = group
    this.machine = machine
    this.coordination = startCoordination(
      { runtime, machine, group, membership: this.membership.view },
      { ...coordinationOptions(config), watch: this.hooks.watchOptions ?? {} },
    )
    this.ports = await ClientPorts.open({
      runtime,
      config,
      group,
      services: this.coordination,
      metrics: nodeMetrics(
        this.host,
        group,
        config.consensus,
        this.stalls,
        this.walSyncSeconds,
        this.hooks.processMetrics,
      ),
    })
    this.tellBoundPorts(this.ports.addresses)
    const publisher = new MemberPublisher(runtime, this.config, this.coordination.engine)
    this.publisher = publisher
    await this.host.start()
    this.stalls.start()
    runtime.logger.info('node started', {
      memberId: config.memberId.toString(16),
      clusterId: config.clusterId.toString(16),
      consensus: config.consensus,
      clients: this.config.listenClientUrls.map((url) => url.text).join(','),
      revision: this.coordination.engine.revision,
      replayedRecords: this.host.recovery.records,
      tornBytes: this.host.recovery.tornBytes,
      tookMs: Math.round(runtime.clock.monotonicMs() - startMs),
    })
    publisher.start(() => this.announceReady(startMs))
  }

  stop({ handOver = true }: { readonly handOver?: boolean } = {}): Promise<void> {
    this.stopping ??= this.stopOnce(handOver)
    return this.stopping
  }

  private async openHost(directory: DataDirectory): Promise<ReplicationHost> {
    const { config, runtime } = this
    return ReplicationHost.open({
      runtime,
      directory: directory.home,
      clusterId: config.clusterId,
      memberId: config.memberId,
      incarnation: directory.identity.incarnation,
      listen: config.listenPeerUrls.map(addressOf),
      peers: new Map(),
      groups: [coordinationGroup],
      options: {
        heartbeatIntervalMs: config.heartbeatIntervalMs,
        electionTimeoutMs: config.electionTimeoutMs,
        snapshotCount: config.snapshotCount,
        requestTimeoutMs: requestTimeoutMs(config),
        commandBytesMax: config.maxRequestBytes + 1024 * 1024,
        ...this.hooks.groupOptions,
      },
      walSegmentBytes: this.hooks.walSegmentBytes ?? Math.max(64 * 1024 * 1024, 4 * config.maxRequestBytes),
      walFirstSegmentBytes: this.hooks.walFirstSegmentBytes,
      onFailure: (error) => this.fail(error),
      recognises: (peer, incarnation) => directory.recognises(peer, incarnation),
      onRefused: (peer, refusal) => this.onRefused(peer, refusal),
      isRemoved: (peer) => this.membership?.isRemoved(peer) ?? false,
      introduction: () => this.membership?.describeCluster(),
      onIntroduction: (body) => this.membership?.onIntroduction(body),
      delivery: this.hooks.delivery,
      onPersisted: (tookMs) => this.walSyncSeconds.observe(tookMs / 1000),
      onDiskFull: (full) => {
        if (full)
          runtime.logger.error('the disk is full: writes are refused until there is room', { path: config.dataDir })
        else runtime.logger.info('the disk has room again')
      },
    })
  }

  /** What a second one that wants the data directory is told. */
  private get owner(): string {
    const { name, listenClientUrls } = this.config
    if (this.hooks.owner !== undefined) return this.hooks.owner
    return `process ${this.hooks.processId}, member ${name}, clients at ${listenClientUrls.map((url) => url.text).join(',')}`
  }

  private async forceNewCluster(): Promise<void> {
    const { config, owner, runtime } = this
    const check = (identity: Identity) => checkIdentity(identity, config)
    const result = await recoverMember(runtime, { dataDir: config.dataDir, owner, check })
    runtime.logger.warn('made a new cluster of this member alone; start it without --force-new-cluster next time', {
      formerClusterId: result.formerClusterId.toString(16),
      clusterId: result.clusterId.toString(16),
      lastIndex: result.lastIndex,
      revision: result.revision,
    })
  }

  private async openDirectory(): Promise<DataDirectory> {
    const { config, owner, runtime } = this
    const onFailure = (error: unknown) => this.fail(error)
    const join = () => joinCluster(runtime, config)
    return openDataDirectory(runtime.disk, runtime.random, config, owner, onFailure, join)
  }

  private composeMembership(
    host: ReplicationHost,
    book: AddressBook,
    identity: Identity,
    machine: CoordinationStateMachine,
    group: CoordinationGroup,
  ): NodeMembership {
    return new NodeMembership({
      runtime: this.runtime,
      identity,
      group,
      machine,
      setPeers: (peers) => host.setPeers(peers),
      isConnected: (peer) => host.isConnected(peer),
      book,
      onRemoved: (error) => this.fail(error),
    })
  }

  private onRefused(peer: bigint, refusal: PeerRefusal): void {
    const { name, dataDir, memberId } = this.config
    if (refusal.code === 'removed') this.membership?.onRefusedAsRemoved()
    if (refusal.code !== 'replaced') return
    const other = this.machine?.member(peer)?.name ?? peer.toString(16)
    this.fail(
      new DataDirectoryError(
        `member ${other} knows ${name} by another data directory, which this one (${dataDir}) has replaced: what ${name} had promised is lost with it. Give it its old directory back; or replace it by a new member: synod member remove ${memberId.toString(16)}, synod member add ${name} --peer-urls …, and start it with an empty data directory and --initial-cluster-state existing.`,
      ),
    )
  }

  private async openGroup(host: ReplicationHost, { founders }: Identity) {
    const machine = createStateMachine(founders)
    const group = await host.addGroup({
      group: coordinationGroup,
      algorithm: this.algorithm(),
      machine,
      initialConfiguration: { voters: founders.map((member) => member.id), outgoing: [], learners: [] },
    })
    return { machine, group }
  }

  private algorithm(): Algorithm<unknown> {
    const { consensus, leaseReads } = this.config
    const tickMs = this.hooks.groupOptions?.tickMs ?? defaultGroupOptions.tickMs
    if (leaseReads) return leaseReadsRaftAlgorithm(tickMs) as Algorithm<unknown>
    return algorithms[consensus]
  }

  /** Logs the line that supervisors wait for: this node reads, writes, and is known to the others. */
  /** Logs and other members are told where clients are served, not that the system was to choose a port. */
  private tellBoundPorts(addresses: readonly Address[]): void {
    const { listenClientUrls, advertiseClientUrls } = this.config
    this.config = {
      ...this.config,
      listenClientUrls: boundUrls(listenClientUrls, listenClientUrls, addresses),
      advertiseClientUrls: boundUrls(advertiseClientUrls, listenClientUrls, addresses),
    }
  }

  private announceReady(startMs: number): void {
    if (this.stopping !== undefined || this.failed) return
    this.runtime.logger.info('ready to serve client requests', {
      clients: this.config.advertiseClientUrls.map((url) => url.text).join(','),
      afterMs: Math.round(this.runtime.clock.monotonicMs() - startMs),
    })
  }

  private fail(error: unknown): void {
    if (this.failed || this.stopping !== undefined) return
    this.failed = true
    this.hooks.onFailure(error)
  }

  private async stopOnce(handOver: boolean): Promise<void> {
    this.stalls.stop()
    this.publisher?.stop()
    if (this.group !== undefined && handOver && !this.failed) await this.handOver(this.group)
    await this.ports?.close(drainMs)
    this.membership?.stop()
    this.coordination?.stop()
    await this.host?.close()
    await this.book?.settled()
    await this.directory?.close()
  }

  /** Gives leadership to another member, so that nobody has to wait for an election. */
  private async handOver(group: CoordinationGroup): Promise<void> {
    if (group.status().role !== 'leader' || group.configuration().configuration.voters.length === 1) return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        timer.cancel()
        unsubscribe()
        resolve()
      }
      const timer = this.runtime.scheduler.setTimer(this.config.electionTimeoutMs, end)
      const unsubscribe = group.onStatusChange((status) => {
        if (status.role !== 'leader') end()
      })
      group.transferLeadership(0n)
    })
  }
}

function coordinationOptions(config: NodeConfig) {
  return {
    clusterId: config.clusterId,
    memberId: config.memberId,
    quotaBytes: config.quotaBytes === 0 ? -1 : config.quotaBytes,
    maxRequestBytes: config.maxRequestBytes,
    maxTxnOps: config.maxTxnOps,
    minLeaseTtlSeconds: minLeaseTtlSeconds(config.electionTimeoutMs),
    autoCompaction: autoCompactionOf(config),
    electionTimeoutMs: config.electionTimeoutMs,
    requestTimeoutMs: requestTimeoutMs(config),
  }
}

function autoCompactionOf({ autoCompaction }: NodeConfig): AutoCompaction {
  switch (autoCompaction.mode) {
    case 'periodic':
      return { mode: 'periodic', retentionMs: autoCompaction.periodMs }
    case 'revision':
      return { mode: 'revision', retention: autoCompaction.retainedRevisions }
    case 'off':
      return autoCompaction
  }
}
