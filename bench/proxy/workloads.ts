// What is asked of each proxy, and by which load generator: none of them is ours.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Ports } from './sides.ts'

/** What one run of a load generator counted. */
export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p99Ms: number
  /** Answers other than the expected, and broken connections. */
  readonly errors: number
}

export interface Workload {
  readonly name: string
  /** Least ratio to nginx that is aimed at. */
  readonly target: number
  run(ports: Ports, seconds: number, folder: string): Promise<LoadResult>
}

const connections = 32
const secureName = 'bench.example'

/** HTTP/1.1 by wrk: one thread, `connections` kept connections. */
function wrk(name: string, target: number, url: (ports: Ports) => string, args: readonly string[] = []): Workload {
  return {
    name,
    target,
    async run(ports, seconds) {
      const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', '-H', `Host: ${secureName}`, ...args]
      return readWrk(await output('wrk', [...options, url(ports)]))
    },
  }
}

/** HTTP/2 by h2load: one thread, 8 connections with 8 streams each. */
function h2load(name: string, target: number, url: (ports: Ports) => string, args: readonly string[] = []): Workload {
  return {
    name,
    target,
    async run(ports, seconds, folder) {
      const log = join(folder, 'h2load.log')
      rmSync(log, { force: true })
      const load = ['-t1', '-c8', '-m8', '-D', `${seconds}`, '--log-file', log]
      return readH2load(await output('h2load', [...load, ...args, url(ports)]), log)
    },
  }
}

/** A gRPC request of no bytes: five bytes of prefix. */
export const grpcRequestFile = 'grpc-request.bin'

export function workloads(folder: string): readonly Workload[] {
  const grpc = ['-d', join(folder, grpcRequestFile), '-H', 'content-type: application/grpc', '-H', 'te: trailers']
  return [
    wrk('GET small', 0.8, ({ http }) => `http://127.0.0.1:${http}/small`),
    wrk('GET 64 KB', 0.5, ({ http }) => `http://127.0.0.1:${http}/64k`),
    wrk('POST 16 KB', 0.5, ({ http }) => `http://127.0.0.1:${http}/post`, [
      '-s',
      join(import.meta.dirname, 'post.lua'),
    ]),
    wrk('TLS GET small', 0.5, ({ tls }) => `https://127.0.0.1:${tls}/small`),
    h2load('HTTP/2 GET small', 0.8, ({ http2 }) => `http://127.0.0.1:${http2}/small`),
    h2load('gRPC unary', 0.8, ({ http2 }) => `http://127.0.0.1:${http2}/grpc.health.v1.Health/Check`, grpc),
    wrk('TCP', 0.7, ({ tcp }) => `http://127.0.0.1:${tcp}/small`),
  ]
}

/** Runs a generator on the core that it shares with the backends. */
function output(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('taskset', ['-c', '1', command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`${command}: ${text}`))))
  })
}

const millisecondsOf: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000, m: 60_000 }

export function readWrk(text: string): LoadResult {
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(text)
  const p99 = /99%\s+([\d.]+)(us|ms|s|m)/.exec(text)
  if (rate === null || p99 === null) throw new Error(`cannot read what wrk printed:\n${text}`)
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(text)
  const errors = [...(sockets ?? []).slice(1), refused?.[1] ?? 0].reduce((sum, one) => Number(sum) + Number(one), 0)
  return {
    requestsPerSecond: Number(rate[1]),
    p99Ms: Number(p99[1]) * millisecondsOf[p99[2]!]!,
    errors: Number(errors),
  }
}

/** `log` has a line for each request: start in µs, status, duration in µs. */
export function readH2load(text: string, log: string): LoadResult {
  const rate = /finished in [\d.]+m?s, ([\d.]+) req\/s/.exec(text)
  const counts = /requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
  if (rate === null || counts === null) throw new Error(`cannot read what h2load printed:\n${text}`)
  const durations: number[] = []
  for (const line of readFileSync(log, 'latin1').split('\n')) {
    const duration = line.split('\t')[2]
    if (duration !== undefined) durations.push(Number(duration))
  }
  const sorted = Float64Array.from(durations).sort()
  const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN
  return { requestsPerSecond: Number(rate[1]), p99Ms: p99 / 1_000, errors: Number(counts[2]) + Number(counts[3]) }
}
