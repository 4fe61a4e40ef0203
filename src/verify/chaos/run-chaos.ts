/**
 * One run: a cluster, clients, faults; then the world heals, and everything is checked.
 *
 * - C1  However the run ends, no process that it started is left when the promise settles.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Prng } from '../../base/index.ts'
import { drawEvidence } from './checks/evidence-timeline.ts'
import { type Finding, invalid, valid, worstOf } from './checks/finding.ts'
import { judge } from './checks/judge.ts'
import { checkLedger, checkProgress, checkSameState, readAllLast, writeLast } from './checks/settle.ts'
import { EtcdClient } from './client/etcd-client.ts'
import { RpcFailure } from './client/rpc-failure.ts'
import { ChaosCluster, ClusterStartError } from './cluster/chaos-cluster.ts'
import { LeaderMonitor } from './cluster/leader-monitor.ts'
import type { FaultName } from './faults/fault-kinds.ts'
import { Nemesis } from './faults/nemesis.ts'
import { planFaults } from './faults/plan.ts'
import { FaultScene } from './faults/scene.ts'
import { Recorder } from './recorder.ts'
import type { ChaosProgress, ChaosReport } from './report.ts'
import { keysBegin } from './workload/key-space.ts'
import { Tally } from './workload/tally.ts'
import { Workload } from './workload/workload.ts'
import type { Endpoint, WorkloadWorld } from './workload/world.ts'

export interface ChaosOptions {
  readonly consensus: 'raft' | 'paxos'
  readonly nodes: number
  /** How long faults go on. Healing and checking come after. */
  readonly durationMs: number
  readonly seed: string
  readonly clients: number
  readonly faults: readonly FaultName[]
  /** Operations a second that the clients aim at together. */
  readonly rate: number
  /** For data and logs; made when it is missing. */
  readonly directory: string
  readonly historyPath: string
  /** Program and arguments that run `synod node`. */
  readonly nodeCommand: readonly string[]
  /** Ends the run early; it then rejects with this signal's reason. */
  readonly signal: AbortSignal
  readonly onProgress: (progress: ChaosProgress) => void
}

const operationTimeoutMs = 3000
const startTimeoutMs = 10_000
/** Healed, every node must serve again within this. */
const progressBoundMs = 20_000
const sameStateBoundMs = 20_000
const watchersBoundMs = 20_000
/** Clients go on for so long after the world has healed. */
const healedMs = 2000
const progressIntervalMs = 250

/** Shorter than a node's defaults, so that a minute sees many elections. */
const nodeFlags = ['--heartbeat-interval', '50', '--election-timeout', '500', '--log-level', 'info']

/** Runs chaos once. Rejects when the cluster could not be started, or when told to end. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  mkdirSync(options.directory, { recursive: true })
  return new ChaosRun(options).run()
}

class ChaosRun {
  private readonly options: ChaosOptions
  private readonly recorder: Recorder
  private readonly tally = new Tally()
  private readonly deaths: Finding[] = []
  /** The faults are to end. */
  private readonly healing = new AbortController()
  /** The clients are to end. */
  private readonly workEnded = new AbortController()
  private monitor: LeaderMonitor | undefined
  private nemesis: Nemesis | undefined
  private phase: ChaosProgress['phase'] = 'starting'

  constructor(options: ChaosOptions) {
    this.options = options
    this.recorder = new Recorder(options.historyPath)
  }

  async run(): Promise<ChaosReport> {
    const ticker = setInterval(() => this.options.onProgress(this.progress()), progressIntervalMs)
    const onAbort = (): void => this.healing.abort()
    this.options.signal.addEventListener('abort', onAbort)
    try {
      const cluster = await this.startCluster()
      let ended: Ended
      try {
        ended = await this.work(cluster)
      } finally {
        this.healing.abort()
        this.workEnded.abort()
        await cluster.end()
        await this.recorder.close()
      }
      this.options.signal.throwIfAborted()
      return this.judged(ended)
    } finally {
      clearInterval(ticker)
      this.options.signal.removeEventListener('abort', onAbort)
    }
  }

  private startCluster(): Promise<ChaosCluster> {
    const { directory, nodes, nodeCommand, consensus } = this.options
    return ChaosCluster.start({
      directory,
      nodes,
      nodeCommand,
      nodeFlags: [...nodeFlags, '--consensus', consensus],
      random: this.fork('cluster'),
      onDeath: (node, how, lastWords) => {
        this.deaths.push(invalid('nodes-alive', `${node.name} ended by itself (${how}); its log ends: ${lastWords}`))
        // Nothing that follows would tell more.
        this.healing.abort()
      },
    })
  }

  /** Chaos, healing, and what only a running cluster can answer. */
  private async work(cluster: ChaosCluster): Promise<Ended> {
    const { recorder, healing, options } = this
    const monitor = (this.monitor = new LeaderMonitor(cluster, recorder))
    const monitoring = monitor.run(this.workEnded.signal)
    const startRevision = await firstRevision(cluster)
    const workload = new Workload(this.world(cluster), options.clients, (name) => this.fork(name), startRevision)
    const startMs = recorder.nowMs()
    this.phase = 'chaos'
    const scene = new FaultScene(cluster, monitor, healing.signal)
    const nemesis = (this.nemesis = new Nemesis(scene, recorder))
    const plan = planFaults(options)
    // A worker that throws is a mistake of this harness: the run ends at once.
    const broken = workload.finished()
    broken.catch(() => healing.abort())
    await Promise.all([
      nemesis.run(plan),
      delay(options.durationMs, undefined, { signal: healing.signal }).catch(() => {}),
    ])
    this.phase = 'healing'
    const findings: Finding[] = []
    if (this.deaths.length === 0 && !options.signal.aborted) {
      findings.push(await checkProgress(cluster, recorder, progressBoundMs))
      await delay(healedMs)
    }
    this.workEnded.abort()
    const workedMs = recorder.nowMs() - startMs
    await broken
    await monitoring
    if (worstOf(findings) === 'valid' && this.deaths.length === 0 && !options.signal.aborted)
      findings.push(...(await this.settle(cluster, workload)))
    else await workload.finishWatching(0, 0)
    return { findings, workedMs }
  }

  private async settle(cluster: ChaosCluster, workload: Workload): Promise<Finding[]> {
    const client = new EtcdClient(cluster.founders[0]!.clientUrl)
    try {
      const revision = await writeLast(client, this.recorder)
      const late = await workload.finishWatching(revision, watchersBoundMs)
      const watchers =
        late.length === 0
          ? valid(
              'watchers-complete',
              `${workload.watchers.length} watchers were delivered all up to revision ${revision}`,
            )
          : invalid(
              'watchers-complete',
              late
                .map(({ name, seenRevision }) => `${name} stands at revision ${seenRevision} of ${revision}`)
                .join('; '),
            )
      const large = await readAllLast(client, this.recorder)
      const ledger = await checkLedger(client, workload.ledger)
      return [watchers, large, ledger, await checkSameState(cluster, this.recorder, sameStateBoundMs)]
    } catch (error) {
      if (!(error instanceof RpcFailure)) throw error
      // The world is healed and nobody else asks anything of the cluster: it owes an answer.
      return [invalid('settled', `no answer after the world had healed: ${error.message}`)]
    } finally {
      await workload.finishWatching(0, 0)
      client.close()
    }
  }

  private judged({ findings, workedMs }: Ended): ChaosReport {
    this.phase = 'checking'
    this.options.onProgress(this.progress())
    const startMs = this.recorder.nowMs()
    const alive = this.deaths.length > 0 ? this.deaths : [valid('nodes-alive', 'no node ended by itself')]
    const all = [...alive, ...findings, ...judge(this.recorder.records)]
    return {
      verdict: worstOf(all),
      findings: all,
      workedMs,
      checkedMs: this.recorder.nowMs() - startMs,
      operations: this.tally.total,
      operationsByKind: this.tally.byKind,
      faults: this.nemesis?.events ?? [],
      leaderships: this.monitor?.leaderships ?? 0,
      records: this.recorder.records.length,
      historyPath: this.options.historyPath,
      timelinePath: this.drawEvidence(all),
    }
  }

  private drawEvidence(findings: readonly Finding[]): string | undefined {
    const page = drawEvidence(findings, this.recorder.records)
    if (page === undefined) return undefined
    const path = join(this.options.directory, 'evidence.html')
    writeFileSync(path, page)
    return path
  }

  private world(cluster: ChaosCluster): WorkloadWorld {
    const endpoints: Endpoint[] = cluster.founders.map(({ name, clientUrl }) => ({
      name,
      connect: () => new EtcdClient(clientUrl),
    }))
    return {
      recorder: this.recorder,
      tally: this.tally,
      endpoints: () => endpoints,
      ended: this.workEnded.signal,
      rate: this.options.rate,
      operationTimeoutMs,
    }
  }

  /** A random stream of its own for each part, so that a new draw in one does not shift the others. */
  private fork(name: string): Prng {
    return new Prng(`${this.options.seed}/${name}`)
  }

  private progress(): ChaosProgress {
    return {
      phase: this.phase,
      elapsedMs: this.recorder.nowMs(),
      operations: this.tally.total,
      faults: this.nemesis?.events.length ?? 0,
      leader: this.monitor?.leader,
      term: this.monitor?.term ?? 0,
    }
  }
}

interface Ended {
  readonly findings: readonly Finding[]
  readonly workedMs: number
}

/** The revision from which watchers see everything that the workload does. */
async function firstRevision(cluster: ChaosCluster): Promise<number> {
  const client = new EtcdClient(cluster.founders[0]!.clientUrl)
  try {
    const { revision } = await client.range({ key: keysBegin }, startTimeoutMs)
    return revision + 1
  } catch (error) {
    throw new ClusterStartError(`the cluster serves, and does not answer: ${(error as Error).message}`)
  } finally {
    client.close()
  }
}
