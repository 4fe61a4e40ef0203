/**
 * The nodes of an embedded engine: composed in this process, without client ports; several talk over a network of their
 * own. Owned by the driver.
 *
 * - C1  A node that gives up takes the cluster with it: `onFailure` is called once, and nothing is served after it.
 * - C2  `onNodeGone` is called before a node stops, so that nobody waits for it.
 */

import { type NodeHooks, type RunningNode, startNode } from '../../../node/index.ts'
import type { Disk, Network, Runtime } from '../../../runtime/index.ts'
import { MemoryDisk, MemoryNetwork } from '../../../runtime/memory/index.ts'
import { SynodError } from '../../errors.ts'
import { startFailure } from './errors.ts'
import {
  defaultAutoCompaction,
  groupOptions,
  hostOf,
  nodeConfig,
  walFirstSegmentBytes,
  walSegmentBytes,
} from './node-settings.ts'
import type { EmbeddedDriverOptions } from './options.ts'

const defaultMaxRequestBytes = 1536 * 1024
const memoryDirectory = '/data'

export interface EmbeddedClusterEvents {
  readonly onNodeGone: (node: RunningNode) => void
  readonly onFailure: (error: unknown) => void
}

export class EmbeddedCluster {
  private readonly options: EmbeddedDriverOptions
  private readonly runtime: Runtime
  private readonly events: EmbeddedClusterEvents
  private readonly nodeCount: number
  private readonly running: (RunningNode | undefined)[]
  /** Where the next call goes, as long as it serves. */
  private preferred = 0
  private failed = false

  constructor(options: EmbeddedDriverOptions, runtime: Runtime, events: EmbeddedClusterEvents) {
    const { directory, nodes = 1 } = options
    this.options = options
    this.events = events
    this.nodeCount = nodes
    this.running = Array.from({ length: nodes }, () => undefined)
    const disk: Disk = directory === undefined ? new MemoryDisk() : runtime.disk
    const hosts = Array.from({ length: nodes }, (_, i) => hostOf(i))
    const network: Network = new MemoryNetwork(runtime.scheduler, hosts)
    this.runtime = { ...runtime, disk, network }
  }

  /** Starts all nodes. Rejects with a {@link SynodError}; nothing runs then. */
  async start(): Promise<void> {
    await this.checkLayout()
    const starts = await Promise.allSettled(this.running.map((_, index) => this.startNode(index)))
    const failure = starts.find((start) => start.status === 'rejected')
    if (failure === undefined) return
    await this.stop()
    throw failure.reason
  }

  async startNode(index: number): Promise<void> {
    if (this.running[index] !== undefined) return
    const { maxRequestBytes = defaultMaxRequestBytes, autoCompaction = defaultAutoCompaction } = this.options
    const dataDir = this.directoryOf(index)
    const config = nodeConfig({ index, nodes: this.nodeCount, dataDir, maxRequestBytes, autoCompaction })
    const hooks: NodeHooks = {
      onFailure: (error) => this.fail(error),
      owner: this.options.owner ?? 'an embedded engine',
      processId: 0,
      processMetrics: () => ({}),
      groupOptions: groupOptions(this.options.directory === undefined),
      walSegmentBytes: walSegmentBytes(maxRequestBytes),
      walFirstSegmentBytes,
    }
    try {
      this.running[index] = await startNode(config, this.runtime, hooks)
    } catch (error) {
      throw startFailure(error)
    }
  }

  async stopNode(index: number, handOver = true): Promise<void> {
    const node = this.running[index]
    if (node === undefined) return
    this.running[index] = undefined
    this.events.onNodeGone(node)
    await node.stop({ handOver })
  }

  /** Stops all nodes at once. */
  async stop(): Promise<void> {
    await Promise.all(this.running.map((_, index) => this.stopNode(index, false)))
  }

  /** A running node, one that knows a leader if there is any; undefined when none runs. */
  serving(): RunningNode | undefined {
    if (this.failed) return undefined
    let found: RunningNode | undefined
    for (let i = 0; i < this.nodeCount; i++) {
      const index = (this.preferred + i) % this.nodeCount
      const node = this.running[index]
      if (node === undefined) continue
      if (node.services.engine.hasLeader) {
        this.preferred = index
        return node
      }
      found ??= node
    }
    return found
  }

  /** The next call goes to another node, if there is one. */
  avoid(node: RunningNode): void {
    if (this.running[this.preferred] === node) this.preferred = (this.preferred + 1) % this.nodeCount
  }

  private fail(error: unknown): void {
    if (this.failed) return
    this.failed = true
    this.events.onFailure(error)
  }

  private directoryOf(index: number): string {
    const directory = this.options.directory ?? memoryDirectory
    return this.nodeCount === 1 ? directory : `${directory}/${hostOf(index)}`
  }

  /** A directory of one node has its files in itself, one of several a directory for each. */
  private async checkLayout(): Promise<void> {
    const { directory } = this.options
    if (directory === undefined) return
    try {
      const { disk } = this.runtime
      if ((await disk.stat(directory)) === undefined) return
      const names = await disk.readDirectory(directory)
      const found = names.includes('identity') ? 1 : names.filter((name) => /^node-\d$/.test(name)).length
      if (found === 0 || found === this.nodeCount) return
      throw new SynodError(
        'INVALID_ARGUMENT',
        `${directory} holds an embedded cluster of ${found}, and ${this.nodeCount} nodes are asked for: open it with nodes=${found}, or choose another directory`,
      )
    } catch (error) {
      throw startFailure(error)
    }
  }
}
