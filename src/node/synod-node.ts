/**
 * One node, composed: data directory, replication, the coordination engine, and the ports that serve it. The only place
 * that knows all parts. Started by the command line; runs on any Runtime, so the simulator can start it too.
 */
import type { MemberId } from '../core/index.ts'
import {
  CoordinationStateMachine,
  LeaseClient,
  Lessor,
  minLeaseTtlSeconds,
  ReplicatedCoordinationEngine,
  WatchHub,
} from '../engine/coordination/index.ts'
import { raftAlgorithm, ReplicationHost, type ReplicatedGroup } from '../engine/replication/index.ts'
import type { Address, Runtime } from '../runtime/index.ts'
import { MemoryStore, MemoryStoreLoader } from '../storage/mvcc/index.ts'
import { addressOf, type NodeConfig } from './config/index.ts'
import { type DataDirectory, openDataDirectory } from './data-directory.ts'
import { ClientPorts } from './client-ports.ts'
import { MemberPublisher } from './member-publisher.ts'
import { StallMonitor } from './stall-monitor.ts'

/** The consensus group that holds the coordination state. */
const coordinationGroup = 1
/** How long requests under way may take to finish when the node stops, in milliseconds. */
const drainMs = 3000

export interface NodeHooks {
  /** The node cannot go on safely: end the process (or drop the node). Called at most once, after `startNode` resolved. */
  readonly onFailure: (error: unknown) => void
  /** Named in the lock of the data directory. */
  readonly processId: number
}

export interface RunningNode {
  readonly config: NodeConfig
  readonly engine: ReplicatedCoordinationEngine
  /** Where clients are served, with real ports. */
  readonly clientAddresses: readonly Address[]
  /** Hands leadership over, lets requests finish, closes files. */
  stop(): Promise<void>
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
  readonly config: NodeConfig
  private readonly runtime: Runtime
  private readonly hooks: NodeHooks
  private readonly stalls: StallMonitor
  private directory: DataDirectory | undefined
  private host: ReplicationHost | undefined
  private parts: CoordinationParts | undefined
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

  get engine(): ReplicatedCoordinationEngine {
    return this.parts!.engine
  }

  get clientAddresses(): readonly Address[] {
    return this.ports?.addresses ?? []
  }

  async start(): Promise<void> {
    const { config, runtime } = this
    for (const url of config.exposedUrls)
      runtime.logger.warn('listening where other machines can reach it, without TLS (--insecure)', { url: url.text })
    const startMs = runtime.clock.monotonicMs()
    const owner = `process ${this.hooks.processId}, member ${config.name}, clients at ${config.listenClientUrls.map((url) => url.text).join(',')}`
    const onFailure = (error: unknown) => this.fail(error)
    this.directory = await openDataDirectory(runtime.disk, runtime.random, config, owner, onFailure)
    this.host = await this.openHost(this.directory)
    const { machine, group } = await this.openGroup(this.host)
    this.parts = compose(config, runtime, machine, group)
    this.publisher = new MemberPublisher(runtime, config, this.parts)
    this.ports = await ClientPorts.open({
      runtime,
      config,
      ...this.parts,
      host: this.host,
      stalls: this.stalls,
      members: () => this.publisher!.members(),
    })
    await this.host.start()
    this.stalls.start()
    runtime.logger.info('node started', {
      memberId: config.memberId.toString(16),
      clusterId: config.clusterId.toString(16),
      clients: config.listenClientUrls.map((url) => url.text).join(','),
      revision: this.parts.engine.revision,
      replayedRecords: this.host.recovery.records,
      tornBytes: this.host.recovery.tornBytes,
      tookMs: Math.round(runtime.clock.monotonicMs() - startMs),
    })
    this.announceReady(startMs)
    this.publisher.start()
  }

  stop(): Promise<void> {
    this.stopping ??= this.stopOnce()
    return this.stopping
  }

  private async openHost(directory: DataDirectory): Promise<ReplicationHost> {
    const { config, runtime } = this
    const others = config.members.filter((member) => member.id !== config.memberId)
    return ReplicationHost.open({
      runtime,
      directory: directory.path,
      clusterId: config.clusterId,
      memberId: config.memberId,
      incarnation: directory.incarnation,
      listen: config.listenPeerUrls.map(addressOf),
      peers: new Map(others.map((member): [MemberId, Address] => [member.id, addressOf(member.peerUrls[0]!)])),
      groups: [coordinationGroup],
      options: {
        heartbeatIntervalMs: config.heartbeatIntervalMs,
        electionTimeoutMs: config.electionTimeoutMs,
        snapshotCount: config.snapshotCount,
        // etcd's bound: 5 s and twice the election time-out.
        requestTimeoutMs: 5000 + 2 * config.electionTimeoutMs,
        commandBytesMax: config.maxRequestBytes + 1024 * 1024,
      },
      walSegmentBytes: Math.max(64 * 1024 * 1024, 4 * config.maxRequestBytes),
      onFailure: (error) => this.fail(error),
      recognises: (peer, incarnation) => directory.recognises(peer, incarnation),
      onRefused: (peer, refusal) => {
        if (refusal.code !== 'replaced') return
        const member = config.members.find((candidate) => candidate.id === peer)
        this.fail(
          new Error(
            `member ${member?.name ?? peer.toString(16)} knows ${config.name} by another data directory, which this one (${config.dataDir}) has replaced: what ${config.name} had promised is lost with it. Give it its old directory back; or remove it from the cluster and add it again as a new member.`,
          ),
        )
      },
      onDiskFull: (full) => {
        if (full) runtime.logger.error('the disk is full: writes are refused until there is room', { path: config.dataDir })
        else runtime.logger.info('the disk has room again')
      },
    })
  }

  private async openGroup(host: ReplicationHost) {
    const machine = new CoordinationStateMachine({
      create: () => new MemoryStore(),
      loader: () => new MemoryStoreLoader(),
    })
    const group = await host.addGroup({
      group: coordinationGroup,
      algorithm: raftAlgorithm,
      machine,
      initialConfiguration: { voters: this.config.members.map((member) => member.id), outgoing: [], learners: [] },
    })
    return { machine, group }
  }

  /** Logs the line that supervisors wait for, once this node can answer a linearizable read. */
  private announceReady(startMs: number): void {
    this.parts?.group.linearizableRead((outcome) => {
      if (this.stopping !== undefined || this.failed) return
      if (!outcome.ok) return this.announceReady(startMs)
      this.runtime.logger.info('ready to serve client requests', {
        clients: this.config.advertiseClientUrls.map((url) => url.text).join(','),
        afterMs: Math.round(this.runtime.clock.monotonicMs() - startMs),
      })
    })
  }

  private fail(error: unknown): void {
    if (this.failed || this.stopping !== undefined) return
    this.failed = true
    this.hooks.onFailure(error)
  }

  private async stopOnce(): Promise<void> {
    const { parts } = this
    this.stalls.stop()
    this.publisher?.stop()
    if (parts !== undefined && !this.failed) await this.handOver(parts)
    await this.ports?.close(drainMs)
    parts?.lessor.stop()
    parts?.engine.stop()
    await this.host?.close()
    await this.directory?.close()
  }

  /** Gives leadership to another member, so that nobody has to wait for an election. */
  private async handOver({ group }: CoordinationParts): Promise<void> {
    if (group.status().role !== 'leader' || this.config.members.length === 1) return
    await new Promise<void>((resolve) => {
      const timer = this.runtime.scheduler.setTimer(this.config.electionTimeoutMs, resolve)
      const unsubscribe = group.onStatusChange((status) => {
        if (status.role === 'leader') return
        timer.cancel()
        unsubscribe()
        resolve()
      })
      group.transferLeadership(0n)
    })
  }
}

/** The coordination service of a node, in its parts. */
export interface CoordinationParts {
  readonly machine: CoordinationStateMachine
  readonly group: ReplicatedGroup<CommandResultOf, unknown>
  readonly engine: ReplicatedCoordinationEngine
  readonly lessor: Lessor
  readonly leaseClient: LeaseClient
  readonly hub: WatchHub
}

type CommandResultOf = ReturnType<CoordinationStateMachine['apply']>

function compose(
  config: NodeConfig,
  runtime: Runtime,
  machine: CoordinationStateMachine,
  group: ReplicatedGroup<CommandResultOf, unknown>,
): CoordinationParts {
  const { autoCompaction } = config
  const engine = new ReplicatedCoordinationEngine(
    { runtime, machine, group },
    {
      clusterId: config.clusterId,
      memberId: config.memberId,
      quotaBytes: config.quotaBytes === 0 ? -1 : config.quotaBytes,
      maxRequestBytes: config.maxRequestBytes,
      maxTxnOps: config.maxTxnOps,
      minLeaseTtlSeconds: minLeaseTtlSeconds(config.electionTimeoutMs),
      autoCompaction:
        autoCompaction.mode === 'periodic'
          ? { mode: 'periodic', retentionMs: autoCompaction.periodMs }
          : autoCompaction.mode === 'revision'
            ? { mode: 'revision', retention: autoCompaction.retainedRevisions }
            : autoCompaction,
    },
  )
  const { clock, scheduler, logger } = runtime
  const lessor = new Lessor(
    { clock, scheduler, logger, group, state: machine, expire: (id, done) => engine.leaseRevoke(id, 'expired', done) },
    { electionTimeoutMs: config.electionTimeoutMs },
  )
  group.setLeaderService((request, reply) => lessor.serve(request, reply))
  const leaseClient = new LeaseClient(
    { clock, scheduler, group, state: machine },
    { requestTimeoutMs: 5000 + 2 * config.electionTimeoutMs },
  )
  const hub = new WatchHub({ clock, scheduler, random: runtime.random.fork('watch'), store: () => machine.store })
  machine.observe({
    onRevision: () => hub.advanced(),
    onCompacting: () => hub.flush(),
    onRestored: () => hub.replaced(),
  })
  return { machine, group, engine, lessor, leaseClient, hub }
}
