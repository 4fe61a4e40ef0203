// Client programs in processes of their own, each behind relays of its own, on a real cluster whose servers are killed
// and whose connections are broken and cut.
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { nodeFlags } from '../../node-flags.mjs'
import { connect } from '../../src/client/index.ts'
import { type Cluster, type ServerKind, startCluster } from '../cluster.ts'
import { urlOf } from './engines.ts'
import { checkJournals, type Journal } from './fault-journal.ts'
import { Relay } from './zookeeper-relay.ts'

const programs = 3
/** More than the programs' sessions last. */
const cutMs = 4_500
const patienceMs = 30_000

interface Told {
  readonly progress?: readonly number[]
  readonly clings?: true
  readonly stopped?: true
  readonly journal?: Journal
}

class Program {
  readonly relays: readonly Relay[]
  /** Locks, terms, increments and puts so far. */
  progress: readonly number[] = [0, 0, 0, 0]
  journal: Journal | undefined
  private clings = 0
  private hasStopped = false
  private readonly child: ChildProcessWithoutNullStreams

  private constructor(cluster: Cluster, relays: readonly Relay[], name: string, fromRevision: number) {
    this.relays = relays
    const engine = cluster.kind === 'synod' ? 'synod' : 'etcd'
    const url = `${engine}://${relays.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const program = join(import.meta.dirname, 'fault-program.ts')
    const args = [...nodeFlags, program, url, engine, name, String(fromRevision)]
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.pipe(process.stderr)
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const told = JSON.parse(line) as Told
      this.progress = told.progress ?? this.progress
      if (told.clings === true) this.clings++
      this.hasStopped ||= told.stopped === true
      this.journal = told.journal ?? this.journal
    })
  }

  static async start(cluster: Cluster, name: string, fromRevision: number): Promise<Program> {
    const relays = await Promise.all(cluster.members.map((member) => Relay.to(member.clientPort)))
    return new Program(cluster, relays, name, fromRevision)
  }

  /** Resolves when it holds the lock and leads, and will not let go. */
  async cling(): Promise<void> {
    const before = this.clings
    this.child.stdin.write('cling\n')
    await until('a program holds the lock and leads', () => this.clings === before + 2)
  }

  async stop(): Promise<void> {
    this.child.stdin.write('stop\n')
    await until('a program stops', () => this.hasStopped)
  }

  async finish(): Promise<Journal> {
    this.child.stdin.write('finish\n')
    await until('a program tells its journal', () => this.journal !== undefined)
    return this.journal!
  }

  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL')
      await once(this.child, 'exit')
    }
    for (const relay of this.relays) relay.close()
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const untilMs = Date.now() + patienceMs
  while (!holds()) {
    assert.ok(Date.now() < untilMs, `in time: ${what}`)
    await delay(20)
  }
}

/** Every program has done more of everything since this was called. */
async function goesOn(running: readonly Program[], each: number): Promise<void> {
  const before = running.map(({ progress }) => progress)
  await until(`locks, elections, counters and writes go on from ${JSON.stringify(before)}`, () =>
    running.every(({ progress }, i) => progress.every((done, at) => done >= before[i]![at]! + each)),
  )
}

/** What happens to the cluster and its connections, one after the other. */
const faults: readonly ((cluster: Cluster, running: readonly Program[]) => Promise<void>)[] = [
  ...[0, 1, 2].map((at) => async (cluster: Cluster, running: readonly Program[]) => {
    await cluster.member(at).crash()
    await goesOn(running, 1)
    cluster.member(at).start()
    await cluster.ready()
  }),
  async (_cluster, running) => {
    for (let round = 0; round < 5; round++)
      for (const { relays } of running) {
        for (const relay of relays) relay.reset()
        await delay(40)
      }
  },
  // A holder and leader is cut off for longer than its session.
  ...[0, 1].map((at) => async (_cluster: Cluster, running: readonly Program[]) => {
    await running[at]!.cling()
    for (const relay of running[at]!.relays) relay.cut()
    await delay(cutMs)
    await goesOn(
      running.filter((_, other) => other !== at),
      1,
    )
    for (const relay of running[at]!.relays) relay.mend()
  }),
  async (cluster) => {
    await Promise.all(cluster.members.map((member) => member.crash()))
    for (const member of cluster.members) member.start()
    await cluster.ready()
  },
]

/** Runs it all, and checks what the programs were told against each other and against what is there in the end. */
export async function runUnderFaults(kind: ServerKind): Promise<void> {
  const cluster = await startCluster({ kind, nodes: 3 })
  const engine = kind === 'synod' ? 'synod' : 'etcd'
  const running: Program[] = []
  try {
    const synod = await connect(urlOf(cluster), { engine })
    const { revision } = await synod.kv.put('begin', '')
    for (let i = 0; i < programs; i++) running.push(await Program.start(cluster, `p${i}`, revision + 1))
    await goesOn(running, 2)
    for (const fault of faults) {
      await fault(cluster, running)
      await goesOn(running, 1)
    }
    await Promise.all(running.map((program) => program.stop()))
    await synod.kv.put('w/end', '', { timeoutMs: 10_000 })
    const journals = await Promise.all(running.map((program) => program.finish()))
    const keys: [string, number][] = []
    for await (const entry of synod.kv.list({ prefix: 'w/', keysOnly: true })) keys.push([entry.key, entry.modRevision])
    checkJournals(journals, { counter: await synod.counter('shared').get(), keys })
    for (const at of [0, 1]) assert.ok(journals[at]!.lost >= 2, 'who was cut off found that it had lost what it held')
    await synod.close()
  } finally {
    await Promise.all(running.map((program) => program.end()))
    await cluster.stop()
  }
}
