// Synod and etcd side by side under the same load generator. `npm run bench:etcd -- --help` says how to use it.
//
// Sides take turns, round by round, each time on a fresh cluster whose data lies on the same file system. A round
// starts a cluster, writes the same keys, then measures every workload at every level. Requests are spread evenly over
// all nodes of a cluster, followers and leader alike, on both sides.
import { execFile, fork } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Cluster, type ServerKind, startCluster } from '../conformance/cluster.ts'
import { findPeer } from '../conformance/peers.ts'
import type { LoadResult, LoadTask } from './load/generator.ts'
import { pssBytes } from './load/process-usage.ts'
import type { Workload } from './load/request-frames.ts'
import { headline, type Measurement, table } from './report.ts'

const help = `Usage: npm run bench:etcd -- [options]

  --quick               3 nodes, 64 outstanding, short rounds: within 45 s; the last line is the headline ratio
  --subject KIND        synod (default), etcd36 or etcd34
  --peers KIND,...      compared with the subject (default etcd36; add etcd34 for Debian's)
  --nodes 1,3           sizes of cluster
  --levels 1,64,...     requests outstanding (default 1,64,256,1000)
  --workloads put,range
  --rounds N            per side (default 5)
  --seconds S           measured for each workload and level (default 10)
  --data DIR            where the clusters' data lies (default .cache/bench in the clone)
  --json FILE           writes all measurements
  --capacity            measures the generator alone, against a server that does nothing
`

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    capacity: { type: 'boolean', default: false },
    subject: { type: 'string', default: 'synod' },
    peers: { type: 'string', default: 'etcd36' },
    nodes: { type: 'string' },
    levels: { type: 'string' },
    workloads: { type: 'string', default: 'put,range' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    data: { type: 'string' },
    json: { type: 'string' },
  },
})

const numbers = (text: string) => text.split(',').map(Number)
const nodeCounts = numbers(options.nodes ?? (options.quick ? '3' : '1,3'))
const levels = numbers(options.levels ?? (options.quick ? '64' : '1,64,256,1000'))
const workloads = options.workloads.split(',') as Workload[]
const rounds = Number(options.rounds ?? (options.quick ? 2 : 5))
const seconds = Number(options.seconds ?? (options.quick ? 1.5 : 10))
const warmUpSeconds = options.quick ? 0.5 : 1
const sides = [options.subject, ...options.peers.split(',').filter((peer) => peer !== '')] as ServerKind[]
const keys = 100_000
const connectionsPerNode = 2
const repo = fileURLToPath(new URL('..', import.meta.url))
const dataDir = options.data ?? join(repo, '.cache', 'bench')
const generator = fileURLToPath(new URL('load/generator.ts', import.meta.url))

function generate(task: LoadTask): Promise<LoadResult> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [generator, JSON.stringify(task)], (error, stdout, stderr) => {
      if (stdout.trim() !== '') resolve(JSON.parse(stdout) as LoadResult)
      else reject(error ?? new Error(`the generator printed nothing: ${stderr}`))
    })
  })
}

async function runRound(side: ServerKind, nodes: number, round: number): Promise<Measurement[]> {
  const cluster = await startCluster({ kind: side, nodes, parentDir: dataDir })
  try {
    return await measure(cluster, nodes, round)
  } finally {
    await cluster.stop()
  }
}

async function measure(cluster: Cluster, nodes: number, round: number): Promise<Measurement[]> {
  const pids = cluster.members.map((member) => member.pid)
  const endpoints = cluster.members.map((member) => member.endpoint)
  const task = { endpoints, connectionsPerNode, keys, warmUpSeconds, seconds, pids, outstanding: 1 }
  const preload = await generate({ ...task, workload: 'preload' })
  if (preload.errors > 0) throw new Error(`preload of ${cluster.kind} failed: ${preload.errorTexts.join('; ')}`)
  const measurements: Measurement[] = []
  for (const workload of workloads) {
    for (const outstanding of levels) {
      const result = await generate({ ...task, workload, outstanding })
      measurements.push({ side: cluster.kind, nodes, round, workload, outstanding, ...result, pssBytes: 0 })
      process.stderr.write(progress(measurements.at(-1)!))
    }
  }
  const memory = pids.reduce((sum, pid) => sum + pssBytes(pid), 0)
  return measurements.map((measurement) => ({ ...measurement, pssBytes: memory }))
}

function progress(one: Measurement): string {
  const errors = one.errors === 0 ? '' : `, ${one.errors} errors: ${one.errorTexts.join('; ')}`
  return `${one.side}, ${one.nodes} nodes, round ${one.round}, ${one.workload} at ${one.outstanding}: ${Math.round(one.requestsPerSecond)}/s${errors}\n`
}

async function measureCapacity(): Promise<void> {
  const server = fork(fileURLToPath(new URL('load/null-server.ts', import.meta.url)), { silent: true })
  const endpoint = await new Promise<string>((resolve) => {
    server.stdout!.once('data', (chunk: Buffer) => resolve(chunk.toString().trim()))
  })
  for (const outstanding of levels) {
    const task = { endpoints: [endpoint], connectionsPerNode: 6, keys, warmUpSeconds, seconds, pids: [server.pid!] }
    const result = await generate({ ...task, workload: 'put', outstanding })
    const share = result.generatorCpuSeconds / result.requests
    console.log(
      `${outstanding} outstanding: ${Math.round(result.requestsPerSecond)} requests/s, ` +
        `${(share * 1e6).toFixed(2)} µs of the generator's CPU a request, ${result.errors} errors`,
    )
  }
  server.disconnect()
}

async function main(): Promise<void> {
  if (options.help) {
    process.stdout.write(help)
    return
  }
  if (options.capacity) return measureCapacity()
  mkdirSync(dataDir, { recursive: true })
  const absent = sides.filter((side) => side !== 'synod' && findPeer(side) === undefined)
  if (absent.length > 0) throw new Error(`${absent.join(', ')} is not here: bash conformance/install-peers.sh`)
  const all: Measurement[] = []
  for (const nodes of nodeCounts) {
    for (let round = 1; round <= rounds; round++) {
      for (const side of sides) all.push(...(await runRound(side, nodes, round)))
    }
  }
  console.log(table(all, sides, cpus().length))
  const facts = {
    machine: {
      cpus: cpus().length,
      cpu: cpus()[0]?.model ?? 'unknown',
      kernel: process.platform,
      node: process.version,
    },
    versions: Object.fromEntries(
      sides.map((side) => [side, side === 'synod' ? 'this clone' : findPeer(side)?.version]),
    ),
    settings: { keys, valueBytes: 256, rounds, seconds, warmUpSeconds, connectionsPerNode },
    measurements: all,
  }
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(facts, null, 1)}\n`)
  console.log(headline(all, sides))
  if (all.some((one) => one.errors > 0)) process.exitCode = 1
}

await main()
