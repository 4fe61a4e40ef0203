/**
 * Clients on simulated machines of their own, and a simulated cluster that serves them etcd's protocol: what tests of
 * sessions, locks and their kin run in. One seed, one run.
 *
 * - CW1  Nothing moves unless the world is run: `run`, `advance`, `runUntil`.
 * - CW2  A client's `outside` is that of its machine: its clock drifts, its process stands still, its links are cut apart
 *        from everybody else's.
 */
import assert from 'node:assert/strict'
import { readNodeConfig } from '../../node/config/index.ts'
import { type RunningNode, startNode } from '../../node/index.ts'
import { createSimulation, type Simulation } from '../../runtime/simulation/index.ts'
import type { ClientRuntime, Driver } from '../driver/index.ts'
import { type EtcdDriverOptions, openEtcdDriver } from '../drivers/etcd/index.ts'

export interface ClientWorldOptions {
  readonly seed: string | number
  /** How many client machines. Default 1. */
  readonly clients?: number
  /** How many members the cluster has. Default 1. */
  readonly nodes?: 1 | 3 | 5
  /** Settings of every client's driver. */
  readonly driver?: Partial<Omit<EtcdDriverOptions, 'endpoints'>>
  /** Flags of every node, as of `synod node`. */
  readonly nodeFlags?: readonly string[]
}

/** A client machine and the driver of the process on it. */
export interface WorldClient {
  readonly name: string
  readonly outside: ClientRuntime
  readonly driver: Driver
}

const clientPort = 2379
const peerPort = 2380
/** Leases of one second are granted with it. */
const electionTimeoutMs = 500
const patienceMs = 60_000
const stepMs = 20

/** Builds the world and runs it until every client has its driver. */
export async function clientWorld(options: ClientWorldOptions): Promise<ClientWorld> {
  const world = new ClientWorld(options)
  await world.begin()
  return world
}

export class ClientWorld {
  readonly simulation: Simulation
  private readonly options: ClientWorldOptions
  private readonly nodeNames: readonly string[]
  private readonly clientNames: readonly string[]
  private readonly drivers = new Map<string, Driver>()
  private readonly running = new Map<string, RunningNode>()

  constructor(options: ClientWorldOptions) {
    const { seed, clients = 1, nodes = 1 } = options
    this.options = options
    this.simulation = createSimulation({ seed })
    this.nodeNames = Array.from({ length: nodes }, (_, i) => `node-${i}`)
    this.clientNames = Array.from({ length: clients }, (_, i) => `client-${i}`)
  }

  async begin(): Promise<void> {
    for (const name of [...this.nodeNames, ...this.clientNames]) this.simulation.createNode(name)
    for (let i = 0; i < this.nodeNames.length; i++) await this.startNode(i)
    await this.runUntil(() => this.leader() !== undefined, 'a leader')
    for (let i = 0; i < this.clientNames.length; i++) await this.openDriver(i)
  }

  /** True time, which no clock need agree with. */
  get nowMs(): number {
    return this.simulation.nowMs
  }

  client(index: number): WorldClient {
    const name = this.clientName(index)
    const driver = this.drivers.get(name)
    assert.ok(driver, `${name} has a driver`)
    return { name, outside: driver.outside, driver }
  }

  get clients(): readonly WorldClient[] {
    return this.clientNames.map((_, index) => this.client(index))
  }

  /** Lets the world go on until `work` is done; its outcome is that of the promise. */
  run<T>(work: Promise<T>): Promise<T> {
    return this.simulation.runUntilDone(work)
  }

  async advance(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** Lets the world go on until it holds; fails when it does not come about in `withinMs` of true time. */
  async runUntil(condition: () => boolean, what: string, withinMs = patienceMs): Promise<void> {
    const untilMs = this.simulation.nowMs + withinMs
    while (!condition()) {
      assert.ok(this.simulation.nowMs < untilMs, `in time: ${what} (seed ${this.simulation.seed})`)
      await this.simulation.run({ untilMs: this.simulation.nowMs + stepMs, until: condition })
    }
  }

  /** The client's process stands still, as after SIGSTOP; what reaches it gathers. */
  pause(client: number): void {
    this.simulation.node(this.clientName(client)).pause()
  }

  resume(client: number): void {
    this.simulation.node(this.clientName(client)).resume()
  }

  /** Nothing travels between the client and any node; its connections break only once somebody notices. */
  cut(client: number): void {
    this.setLinks(this.clientName(client), true)
  }

  mend(client: number): void {
    this.setLinks(this.clientName(client), false)
  }

  /** Breaks the client's connections; it may connect anew at once. */
  reset(client: number): void {
    for (const node of this.nodeNames) this.simulation.resetConnections(this.clientName(client), node)
  }

  /** How fast the client's clock runs: 100 gains 100 microseconds a second. */
  drift(client: number, driftPpm: number): void {
    this.simulation.node(this.clientName(client)).setClock({ driftPpm })
  }

  /** Ends the client's process: nothing that it asked for is answered any more. */
  crash(client: number): void {
    this.drivers.delete(this.clientName(client))
    this.simulation.crash(this.clientName(client), 'process-death')
  }

  /** A new process, with a driver of its own, on the machine of one that crashed. */
  async restart(client: number): Promise<WorldClient> {
    this.simulation.restart(this.clientName(client))
    await this.openDriver(client)
    return this.client(client)
  }

  node(index: number): RunningNode {
    const node = this.running.get(this.nodeName(index))
    assert.ok(node, `node ${index} runs`)
    return node
  }

  /** The node that leads, by its own word. */
  leader(): number | undefined {
    const found = this.nodeNames.findIndex((name) => this.running.get(name)?.inspect().group.status().role === 'leader')
    return found < 0 ? undefined : found
  }

  crashNode(index: number): void {
    this.running.delete(this.nodeName(index))
    this.simulation.crash(this.nodeName(index), 'process-death')
  }

  /** Starts a node, for the first time or after a crash; returns before it has caught up. */
  async startNode(index: number): Promise<void> {
    const name = this.nodeName(index)
    if (!this.simulation.node(name).alive) this.simulation.restart(name)
    const failed = (error: unknown): void => {
      throw new Error(`${name} gave up (seed ${this.simulation.seed})`, { cause: error })
    }
    const hooks = { onFailure: failed, processId: 1, processMetrics: () => ({}) }
    const { runtime } = this.simulation.node(name)
    this.running.set(name, await this.run(startNode(this.nodeConfig(name), runtime, hooks)))
  }

  /** Cuts a node off from the other nodes, not from the clients. */
  cutNode(index: number): void {
    for (const other of this.nodeNames)
      if (other !== this.nodeName(index)) this.simulation.setLink(this.nodeName(index), other, { cut: true })
  }

  mendNode(index: number): void {
    for (const other of this.nodeNames)
      if (other !== this.nodeName(index)) this.simulation.setLink(this.nodeName(index), other, { cut: false })
  }

  private async openDriver(index: number): Promise<void> {
    const name = this.clientName(index)
    const { runtime } = this.simulation.node(name)
    const endpoints = this.nodeNames.map((host) => ({ host, port: clientPort }))
    const driver = await this.run(openEtcdDriver({ engine: 'synod', ...this.options.driver, endpoints }, runtime))
    this.drivers.set(name, driver)
  }

  private nodeConfig(name: string) {
    const peerUrlOf = (each: string) => `http://${each}:${peerPort}`
    return readNodeConfig({
      args: [
        `--name=${name}`,
        '--data-dir=/data',
        `--listen-client-urls=http://${name}:${clientPort}`,
        `--listen-peer-urls=${peerUrlOf(name)}`,
        `--initial-cluster=${this.nodeNames.map((each) => `${each}=${peerUrlOf(each)}`).join(',')}`,
        `--election-timeout=${electionTimeoutMs}`,
        '--insecure',
        ...(this.options.nodeFlags ?? []),
      ],
      environment: {},
      readFile: () => '',
    })
  }

  private setLinks(client: string, cut: boolean): void {
    for (const node of this.nodeNames) this.simulation.setLink(client, node, { cut })
  }

  private nodeName(index: number): string {
    const name = this.nodeNames[index]
    assert.ok(name, `there is a node ${index}`)
    return name
  }

  private clientName(index: number): string {
    const name = this.clientNames[index]
    assert.ok(name, `there is a client ${index}`)
    return name
  }
}
