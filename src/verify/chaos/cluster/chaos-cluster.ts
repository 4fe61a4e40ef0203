/**
 * A real cluster of processes on loopback. Each node is told to listen for peers on one port and to advertise another,
 * where its relay listens; so all nodes share one `--initial-cluster`, made of relays, and every byte between two nodes
 * passes through this process.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { memberIdOf } from '../../../node/config/index.ts'
import { EtcdClient } from '../client/etcd-client.ts'
import { RelayMesh } from '../relay/relay-mesh.ts'
import { ChaosNode } from './chaos-node.ts'
import { freePorts } from './free-ports.ts'

export interface ChaosClusterOptions {
  readonly directory: string
  readonly nodes: number
  /** Runs `synod node`, without its flags. */
  readonly nodeCommand: readonly string[]
  /** More flags for every node. */
  readonly nodeFlags: readonly string[]
  readonly random: Prng
  readonly onDeath: (node: ChaosNode, how: string, lastWords: string) => void
}

/** The cluster under test did not come up: nothing was tested. */
export class ClusterStartError extends Error {
  override readonly name = 'ClusterStartError'
}

/** How long a node may take to serve after it was started, in milliseconds. */
const readyTimeoutMs = 30_000
const portsPerNode = 3

export class ChaosCluster {
  readonly mesh: RelayMesh
  readonly directory: string
  private readonly options: ChaosClusterOptions
  private readonly token: string
  /** Members for the whole run: clients connect to them. */
  readonly founders: ChaosNode[] = []
  private readonly joined = new Map<string, ChaosNode>()

  private constructor(options: ChaosClusterOptions, token: string) {
    this.options = options
    this.directory = options.directory
    this.token = token
    this.mesh = new RelayMesh(() => options.random.float())
  }

  /** Founds the cluster and waits until every node serves. */
  static async start(options: ChaosClusterOptions): Promise<ChaosCluster> {
    const ports = await freePorts(portsPerNode * options.nodes, options.random)
    const cluster = new ChaosCluster(options, `chaos-${ports[0]}`)
    try {
      const names = Array.from({ length: options.nodes }, (_, at) => `n${at + 1}`)
      const urls = names.map((_, at) => `http://127.0.0.1:${ports[portsPerNode * at]}`)
      const initialCluster = names.map((name, at) => `${name}=${urls[at]}`).join(',')
      for (const [at, name] of names.entries()) {
        const [relayPort, peerPort, clientPort] = ports.slice(portsPerNode * at, portsPerNode * (at + 1))
        await cluster.mesh.add(name, relayPort!, peerPort!)
        cluster.mesh.identify(memberIdOf([urls[at]!], cluster.token).toString(16), name)
        const clusterFlags = ['--initial-cluster', initialCluster, '--initial-cluster-state', 'new']
        cluster.founders.push(cluster.makeNode(name, relayPort!, peerPort!, clientPort!, clusterFlags))
      }
      for (const node of cluster.founders) node.start()
      await Promise.all(cluster.founders.map((node) => untilServing(node, readyTimeoutMs)))
      return cluster
    } catch (error) {
      await cluster.end()
      throw error
    }
  }

  /** All nodes that belong to the cluster, founders first. */
  get nodes(): readonly ChaosNode[] {
    return [...this.founders, ...this.joined.values()]
  }

  node(name: string): ChaosNode | undefined {
    return this.nodes.find((node) => node.name === name)
  }

  /** Makes a place for another node: its relay and its addresses. The node is not started. */
  async prepareNode(
    name: string,
  ): Promise<{ readonly peerUrl: string; readonly start: (memberId: string) => ChaosNode }> {
    const [relayPort, peerPort, clientPort] = await freePorts(portsPerNode, this.options.random)
    await this.mesh.add(name, relayPort!, peerPort!)
    const peerUrl = `http://127.0.0.1:${relayPort}`
    const start = (memberId: string): ChaosNode => {
      this.mesh.identify(memberId, name)
      const initialCluster = [...this.nodes.map((node) => `${node.name}=${node.peerUrl}`), `${name}=${peerUrl}`].join(
        ',',
      )
      const clusterFlags = ['--initial-cluster', initialCluster, '--initial-cluster-state', 'existing']
      const node = this.makeNode(name, relayPort!, peerPort!, clientPort!, clusterFlags)
      this.joined.set(name, node)
      node.start()
      return node
    }
    return { peerUrl, start }
  }

  /** Ends a node that is no longer a member, and takes its relay away. */
  async retireNode(name: string): Promise<void> {
    const node = this.joined.get(name)
    this.joined.delete(name)
    await node?.retire()
    this.mesh.remove(name)
  }

  /** Kills every node and closes the relays. The data stays. */
  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.retire()))
    this.mesh.close()
  }

  private makeNode(
    name: string,
    relayPort: number,
    peerPort: number,
    clientPort: number,
    clusterFlags: readonly string[],
  ): ChaosNode {
    const { directory, nodeCommand, nodeFlags, onDeath } = this.options
    const clientUrl = `http://127.0.0.1:${clientPort}`
    const peerUrl = `http://127.0.0.1:${relayPort}`
    mkdirSync(directory, { recursive: true })
    const node: ChaosNode = new ChaosNode({
      name,
      clientUrl,
      peerUrl,
      dataDir: join(directory, name),
      logPath: join(directory, `${name}.log`),
      command: [
        ...nodeCommand,
        ...['--name', name, '--data-dir', join(directory, name)],
        ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
        ...['--listen-peer-urls', `http://127.0.0.1:${peerPort}`, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster-token', this.token],
        ...clusterFlags,
        ...nodeFlags,
      ],
      onDeath: (how, lastWords) => onDeath(node, how, lastWords),
    })
    return node
  }
}

/** Resolves when `node` knows a leader; rejects with its last words when it ends first or takes too long. */
async function untilServing(node: ChaosNode, timeoutMs: number): Promise<void> {
  const client = new EtcdClient(node.clientUrl)
  const startMs = performance.now()
  try {
    for (;;) {
      if (!node.running) throw new ClusterStartError(`node ${node.name} ended before it served: ${node.lastWords()}`)
      const status = await client.status(1000).catch(() => undefined)
      if (status !== undefined && status.leaderId !== '0') return
      if (performance.now() - startMs > timeoutMs)
        throw new ClusterStartError(`node ${node.name} does not serve after ${timeoutMs / 1000} s: ${node.lastWords()}`)
      await delay(50)
    }
  } finally {
    client.close()
  }
}
