// What the failover tests and `npm run bench:balance` stand on: five server processes that can be killed, stopped and
// slowed, a proxy in front with one lane (a path, a route, an upstream) for each balancing policy, and load through it.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import { join } from 'node:path'
import { balancePolicies } from '../../src/core/balance/index.ts'

/** Servers of a lane. */
export const serversCount = 5

/** A server process that keeps its ports over restarts. */
export class UpstreamServer {
  readonly name: string
  readonly log: string
  /** The connection string of the registry that it registers itself in; empty: none. */
  readonly registry: string
  ports = { http1: 0, http2: 0 }
  private child: ChildProcess | undefined

  constructor(name: string, { log = '', registry = '' } = {}) {
    this.name = name
    this.log = log
    this.registry = registry
  }

  /** Resolves once it listens and is registered. */
  async start(): Promise<void> {
    const args = [this.name, `${this.ports.http1}`, `${this.ports.http2}`, this.log, this.registry]
    const child = fork(join(import.meta.dirname, 'failover-server.ts'), args)
    this.child = child
    const [ports] = await Promise.race([once(child, 'message'), ended(child)])
    this.ports = ports as { http1: number; http2: number }
  }

  /** Takes `delayMs` for every answer from the next request on. */
  slow(delayMs: number): void {
    this.child!.send({ delayMs })
  }

  /** Requests that have arrived since it started, by lane. Not to be asked while it is stopped. */
  async counts(): Promise<Readonly<Record<string, number>>> {
    this.child!.send('counts')
    const [counts] = (await once(this.child!, 'message')) as [Record<string, number>]
    return counts
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child!.kill(signal)
  }

  async kill(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}

async function ended(child: ChildProcess): Promise<never> {
  const [status] = (await once(child, 'exit')) as [number | null]
  throw new Error(`a server did not start: exit status ${status}`)
}

/** One balancing policy under test. */
export interface Lane {
  readonly name: string
  readonly policy: string
  /** What the servers speak. */
  readonly protocol: 'http1' | 'http2'
}

/** A lane for each policy over HTTP/1.1, and two whose servers speak HTTP/2. */
export const lanes: readonly Lane[] = [
  ...balancePolicies.map((policy) => ({ name: policy, policy, protocol: 'http1' as const })),
  { name: 'round-robin-http2', policy: 'round-robin', protocol: 'http2' },
  { name: 'p2c-http2', policy: 'p2c', protocol: 'http2' },
]

export interface LaneSettings {
  /** YAML of the route, after its path and target. */
  readonly route: string
  /** YAML of the upstream, after its endpoints, protocol and policy. */
  readonly upstream: string
}

/** A listener for HTTP/1.1 and HTTP/2 with a route and an upstream for each lane, and an admin listener. */
export function laneConfig(
  servers: readonly UpstreamServer[],
  chosen: readonly Lane[],
  { route, upstream }: LaneSettings,
): string {
  const routes = chosen.map(({ name }) => `      - { path: /${name}, to: ${name}, ${route} }`)
  const upstreams = chosen.map(({ name, policy, protocol }) => {
    const endpoints = servers.map(({ name: id, ports }) => `{ id: ${id}, address: '127.0.0.1:${ports[protocol]}' }`)
    return `  ${name}: { endpoints: [${endpoints.join(', ')}], protocol: ${protocol}, balance: ${policy}, ${upstream} }`
  })
  // The clients tell addresses of their own, by which the hashing policies spread them.
  return `
admin: 127.0.0.1:0
workers: 1
listeners:
  - name: web
    address: 127.0.0.1:0
    http2: true
    trustedProxies: [127.0.0.0/8]
    routes:
${routes.join('\n')}
upstreams:
${upstreams.join('\n')}
`
}

/** What clients saw. */
export interface Seen {
  requests: number
  /** The first few of what was not as it must be. */
  readonly failures: string[]
  failed: number
  /** Answers by server. */
  readonly byServer: Map<string, number>
  readonly latenciesMs: number[]
}

export function nothingSeen(): Seen {
  return { requests: 0, failures: [], failed: 0, byServer: new Map(), latenciesMs: [] }
}

const failuresKept = 20
const putBody = Buffer.alloc(1_000, 'x')

/** GET and PUT in turn through one lane, one after another by each of several clients, until stopped. */
export class Load {
  seen = nothingSeen()
  private readonly port: number
  private readonly lane: string
  private readonly running: Promise<void>[] = []
  private isOver = false
  private clients = 0

  constructor(port: number, lane: string) {
    this.port = port
    this.lane = lane
  }

  /** Clients over kept connections of HTTP/1.1. */
  addHttp1(count: number): this {
    for (let at = 0; at < count; at++) {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      const ask = (address: string, isPut: boolean) =>
        askHttp1({ port: this.port, path: this.path, agent }, address, isPut)
      this.running.push(this.repeat(ask).finally(() => agent.destroy()))
    }
    return this
  }

  /** Clients over one connection of HTTP/2. */
  addHttp2(count: number): this {
    const session = http2.connect(`http://127.0.0.1:${this.port}`)
    session.on('error', () => {})
    const ask = (address: string, isPut: boolean) => askHttp2(session, this.path, address, isPut)
    const clients = Array.from({ length: count }, () => this.repeat(ask))
    this.running.push(Promise.all(clients).then(() => session.close()))
    return this
  }

  /** What was seen so far; what follows is counted anew. */
  take(): Seen {
    const { seen } = this
    this.seen = nothingSeen()
    return seen
  }

  async stop(): Promise<Seen> {
    this.isOver = true
    await Promise.all(this.running)
    return this.seen
  }

  private get path(): string {
    return `/${this.lane}/x`
  }

  private async repeat(ask: (address: string, isPut: boolean) => Promise<string>): Promise<void> {
    const client = this.clients++
    for (let turn = 0; !this.isOver; turn++) {
      const isPut = turn % 2 === 1
      // Another network for every request, since `ip-hash` looks at no more of an address.
      const address = `10.${client % 250}.${turn % 250}.${(turn >> 8) % 250}`
      const startMs = performance.now()
      const outcome = await ask(address, isPut)
      this.note(outcome, isPut, performance.now() - startMs)
    }
  }

  private note(outcome: string, isPut: boolean, latencyMs: number): void {
    const { seen } = this
    seen.requests++
    seen.latenciesMs.push(latencyMs)
    const [, server, bytes] = /^200 (\w+) (\d+)$/.exec(outcome) ?? []
    if (server !== undefined && bytes === (isPut ? `${putBody.length}` : '0')) {
      seen.byServer.set(server, (seen.byServer.get(server) ?? 0) + 1)
      return
    }
    seen.failed++
    if (seen.failures.length < failuresKept) seen.failures.push(`${this.lane}: ${isPut ? 'PUT' : 'GET'}: ${outcome}`)
  }
}

function askHttp1(
  options: { readonly port: number; readonly path: string; readonly agent: http.Agent },
  address: string,
  isPut: boolean,
): Promise<string> {
  return new Promise((resolve) => {
    const headers = { 'x-forwarded-for': address, ...(isPut ? { 'content-length': putBody.length } : {}) }
    const init = { host: '127.0.0.1', ...options, method: isPut ? 'PUT' : 'GET', headers }
    const sent = http.request(init, (response) => {
      let body = ''
      response.on('data', (piece: Buffer) => (body += piece.toString()))
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
      response.on('error', (error) => resolve(error.message))
    })
    sent.on('error', (error) => resolve(error.message))
    sent.end(isPut ? putBody : undefined)
  })
}

function askHttp2(session: http2.ClientHttp2Session, path: string, address: string, isPut: boolean): Promise<string> {
  return new Promise((resolve) => {
    if (session.closed || session.destroyed) return resolve('the session is closed')
    const head = { ':path': path, ':method': isPut ? 'PUT' : 'GET', 'x-forwarded-for': address }
    const stream = session.request(head, { endStream: !isPut })
    let status = 0
    let body = ''
    stream.on('response', (fields) => (status = Number(fields[':status'])))
    stream.on('data', (piece: Buffer) => (body += piece.toString()))
    stream.on('error', (error) => resolve(error.message))
    stream.on('close', () => resolve(`${status} ${body}`))
    if (isPut) stream.end(putBody)
  })
}

/** Share of the greatest latencies: 0.99 for p99. */
export function quantileMs(latenciesMs: readonly number[], share: number): number {
  if (latenciesMs.length === 0) return 0
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

export function assertNoFailure(loads: readonly Load[]): void {
  assert.deepEqual(
    loads.flatMap(({ seen }) => seen.failures),
    [],
  )
}
