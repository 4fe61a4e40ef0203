/** Servers that answer what a test tells them to, on simulated machines, and a client of theirs. */
import { ProtobufWriter } from '../../../../base/index.ts'
import { createSimulation, type Simulation } from '../../../../runtime/simulation/index.ts'
import {
  type GrpcRoutes,
  GrpcServer,
  type StreamCall,
  streaming,
  type UnaryCall,
  unary,
} from '../../../../wire/grpc/index.ts'
import type { Driver } from '../../../driver/index.ts'
import { openEtcdDriver } from '../index.ts'
import type { EtcdDriverOptions } from '../options.ts'

/** What a server answers; it may answer later, or not at all. */
export type Script = (call: UnaryCall) => void
export type StreamScript = (call: StreamCall) => void

export class ScriptedServer {
  readonly name: string
  /** Of etcd's KV and Lease services, by method name. */
  readonly scripts = new Map<string, Script>()
  readonly streams = new Map<string, StreamScript>()
  /** The calls that came, by method name. */
  readonly calls: string[] = []
  clusterId = 1n
  readonly memberId: bigint
  leaderId = 1n
  term = 1

  constructor(name: string, memberId: bigint) {
    this.name = name
    this.memberId = memberId
  }

  /** A message with a header, and what `body` adds. */
  answer(body: (writer: ProtobufWriter) => void = () => {}, revision = 5): Uint8Array {
    const writer = new ProtobufWriter().message(1, (header) =>
      header.int64(1, this.clusterId).int64(2, this.memberId).int(3, revision).int(4, this.term),
    )
    body(writer)
    return Uint8Array.from(writer.finish())
  }

  count(method: string): number {
    return this.calls.filter((each) => each === method).length
  }

  routes(): GrpcRoutes {
    const table: Record<string, GrpcRoutes[string]> = {
      '/etcdserverpb.Maintenance/Status': unary((call) => {
        call.reply(this.answer((writer) => writer.int64(4, this.leaderId).int(6, this.term)))
      }),
    }
    for (const path of ['KV/Range', 'KV/Put', 'KV/Txn', 'Lease/LeaseGrant', 'Lease/LeaseRevoke', 'Auth/Authenticate']) {
      const method = path.split('/')[1]!
      table[`/etcdserverpb.${path}`] = unary((call) => {
        this.calls.push(method)
        const script = this.scripts.get(method)
        if (script === undefined) call.reply(this.answer())
        else script(call)
      })
    }
    for (const path of ['Watch/Watch', 'Lease/LeaseKeepAlive']) {
      const method = path.split('/')[1]!
      table[`/etcdserverpb.${path}`] = streaming((call) => {
        this.calls.push(method)
        this.streams.get(method)?.(call)
      })
    }
    return table
  }
}

export class ScriptedCluster {
  readonly simulation: Simulation
  /** Named `s0`, `s1`, …, members 1, 2, …; the first leads. */
  readonly servers: readonly ScriptedServer[]
  private opened: Driver | undefined = undefined

  private constructor(seed: string, count: number) {
    this.simulation = createSimulation({ seed })
    this.servers = Array.from({ length: count }, (_, i) => new ScriptedServer(`s${i}`, BigInt(i + 1)))
  }

  static async open(
    seed: string,
    count: number,
    options: Partial<EtcdDriverOptions> = {},
    prepare: (servers: readonly ScriptedServer[]) => void = () => {},
  ): Promise<ScriptedCluster> {
    const cluster = new ScriptedCluster(seed, count)
    const { simulation, servers } = cluster
    prepare(servers)
    for (const server of servers) await cluster.serve(server)
    const { runtime } = simulation.createNode('client')
    const endpoints = servers.map(({ name }) => ({ host: name, port: 2379 }))
    cluster.opened = await simulation.runUntilDone(openEtcdDriver({ endpoints, ...options }, runtime))
    // Until all have greeted and the leader is known.
    await cluster.advance(200)
    return cluster
  }

  get driver(): Driver {
    return this.opened!
  }

  server(index: number): ScriptedServer {
    return this.servers[index]!
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.simulation.runUntilDone(work)
  }

  async advance(ms: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + ms })
  }

  /** What it comes to, and how long it took. */
  async settle<T>(work: Promise<T>): Promise<{ readonly result: PromiseSettledResult<T>; readonly tookMs: number }> {
    const startedMs = this.simulation.nowMs
    const [result] = await this.run(Promise.allSettled([work]))
    return { result, tookMs: this.simulation.nowMs - startedMs }
  }

  private async serve(server: ScriptedServer): Promise<void> {
    const { runtime } = this.simulation.createNode(server.name)
    const { clock, scheduler, network } = runtime
    const grpc = new GrpcServer({ clock, scheduler, routes: [server.routes()] })
    const listening = network.listen({ host: server.name, port: 2379 }, (connection) => {
      connection.setHandler(grpc.accept(connection))
    })
    await this.simulation.runUntilDone(listening)
  }
}
