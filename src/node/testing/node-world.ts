/** Whole nodes on simulated machines, for tests of how they find, join and leave each other. */
import assert from 'node:assert/strict'
import type { Done, Failure, Member, MemberChangeResult, PutResult } from '../../engine/coordination/index.ts'
import { createSimulation, type Simulation } from '../../runtime/simulation/index.ts'
import { type NodeConfig, readNodeConfig } from '../config/index.ts'
import { type NodeHooks, type RunningNode, startNode } from '../index.ts'

export interface NodeWorldOptions {
  readonly seed: number
  readonly flags?: readonly string[]
  readonly hooks?: Partial<NodeHooks>
}

export class NodeWorld {
  readonly simulation: Simulation
  readonly running = new Map<string, RunningNode>()
  /** What ended each node that gave up. */
  readonly failures = new Map<string, Error>()
  private readonly options: NodeWorldOptions
  private readonly machines = new Set<string>()

  constructor(options: NodeWorldOptions) {
    this.options = options
    this.simulation = createSimulation({ seed: options.seed })
  }

  /** The settings of the member on machine `name`; `members` are the machines that --initial-cluster names. */
  config(name: string, members: readonly string[], ...flags: string[]): NodeConfig {
    const given = [
      `--name=${name}`,
      '--data-dir=/data',
      `--listen-client-urls=http://${name}:2379`,
      `--initial-cluster=${members.map((member) => `${member}=${urlOf(member)}`).join(',')}`,
      '--insecure',
      ...(this.options.flags ?? []),
      ...flags,
    ]
    if (!flags.some((flag) => flag.startsWith('--listen-peer-urls'))) given.push(`--listen-peer-urls=${urlOf(name)}`)
    return readNodeConfig({ args: given, environment: {}, readFile: () => '' })
  }

  /** Starts a node on machine `name`; rejects with what keeps it from starting. */
  async start(name: string, config: NodeConfig): Promise<RunningNode> {
    if (!this.machines.has(name)) this.addMachine(name)
    else if (!this.simulation.node(name).alive) this.simulation.restart(name)
    this.failures.delete(name)
    const hooks: NodeHooks = {
      onFailure: (error) => {
        this.failures.set(name, error as Error)
        this.running.delete(name)
        this.simulation.crash(name, 'process-death')
      },
      processId: 1,
      processMetrics: () => ({}),
      ...this.options.hooks,
    }
    const node = await this.simulation.runUntilDone(startNode(config, this.simulation.node(name).runtime, hooks))
    this.running.set(name, node)
    return node
  }

  /** A machine on which nothing runs yet, so that its links can be cut before. */
  addMachine(name: string): void {
    this.simulation.createNode(name)
    this.machines.add(name)
  }

  async found(...names: string[]): Promise<void> {
    for (const name of names) await this.start(name, this.config(name, names))
    await this.until(() => this.leader() !== undefined, 'a leader')
  }

  kill(name: string, kind: 'power-loss' | 'process-death' = 'power-loss'): void {
    this.running.delete(name)
    if (this.simulation.node(name).alive) this.simulation.crash(name, kind)
  }

  /** The machine is given an empty disk. */
  async wipe(name: string): Promise<void> {
    this.kill(name)
    this.simulation.restart(name)
    const { disk } = this.simulation.node(name).runtime
    await this.simulation.runUntilDone(disk.remove('/data'))
    await this.simulation.runUntilDone(disk.syncDirectory('/'))
  }

  node(name: string): RunningNode {
    const node = this.running.get(name)
    assert.ok(node, `${name} runs (${this.failures.get(name)?.message})`)
    return node
  }

  leader(): string | undefined {
    for (const [name, node] of this.running) if (node.inspect().group.status().role === 'leader') return name
    return undefined
  }

  follower(): string {
    const found = [...this.running].find(([, node]) => node.inspect().group.status().role === 'follower')
    assert.ok(found, 'there is a follower')
    return found[0]
  }

  async until(condition: () => boolean, what: string, withinMs = 20_000): Promise<void> {
    const untilMs = this.simulation.nowMs + withinMs
    while (!condition()) {
      assert.ok(this.simulation.nowMs < untilMs, `in time: ${what}`)
      await this.simulation.run({ untilMs: this.simulation.nowMs + 20 })
    }
  }

  async pause(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** Calls the engine of a node and waits for its answer. */
  async call<Result>(name: string, method: (node: RunningNode, done: Done<Result>) => void): Promise<Result | Failure> {
    let outcome: Result | Failure | undefined
    method(this.node(name), (answer) => {
      outcome = answer
    })
    await this.until(() => outcome !== undefined, `an answer from ${name}`)
    return outcome!
  }

  /** Changes the members through `name`; tries again while that node knows no leader, or the cluster is not healthy. */
  async change(
    name: string,
    method: (engine: RunningNode['services']['engine'], done: Done<MemberChangeResult>) => void,
  ): Promise<MemberChangeResult> {
    for (let i = 0; i < 100; i++) {
      const outcome = await this.call<MemberChangeResult>(name, (node, done) => method(node.services.engine, done))
      if (outcome.ok) return outcome
      assert.notEqual(outcome.outcome, 'unknown', outcome.code)
      await this.pause(100)
    }
    return assert.fail('the change was refused again and again')
  }

  async put(name: string, key: string, value: string): Promise<void> {
    for (let i = 0; i < 100; i++) {
      const outcome = await this.call<PutResult>(name, ({ services }, done) => {
        const request = {
          type: 'put',
          key,
          value: Buffer.from(value),
          lease: 0n,
          previous: false,
          ignoreValue: false,
          ignoreLease: false,
        } as const
        const bytes = Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))])
        services.engine.put(request, bytes, done)
      })
      if (outcome.ok) return
      await this.pause(100)
    }
    assert.fail(`could not put ${key} through ${name}`)
  }

  /** The voters and learners by machine name, as `name` sees them; `…` while a change is under way. */
  configuration(name: string): string {
    const { configuration, committed } = this.node(name).inspect().group.configuration()
    const names = (ids: readonly bigint[]): string =>
      ids
        .map((id) => this.nameOf(name, id))
        .sort()
        .join(' ')
    const open = committed && configuration.outgoing.length === 0 ? '' : ' …'
    return `${names(configuration.voters)} | ${names(configuration.learners)}${open}`
  }

  member(through: string, name: string): Member {
    const member = this.node(through)
      .services.engine.members()
      .find(({ peerUrls }) => peerUrls.includes(urlOf(name)))
    assert.ok(member, `${name} is a member`)
    return member
  }

  private nameOf(through: string, id: bigint): string {
    const member = this.node(through).inspect().machine.member(id)
    return member?.peerUrls[0]?.slice('http://'.length).split(':')[0] ?? id.toString(16)
  }
}

export function urlOf(machine: string): string {
  return `http://${machine}:2380`
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}
