// Unary requests a second from one client process: Synod's own gRPC client and @grpc/grpc-js, on the same server.
// `node bench/grpc-client.ts --help` says how to use it.
//
// The request is a serializable Range of one small key. The clients take turns, round by round, on one connection each.
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import * as grpc from '@grpc/grpc-js'
import { startCluster } from '../conformance/cluster.ts'
import { createNodeRuntime } from '../src/runtime/node/index.ts'
import { GrpcChannel } from '../src/wire/grpc-client/index.ts'

const help = `Usage: node bench/grpc-client.ts [options]

  --servers KIND,...  synod, etcd36: one node of it. Default synod
  --outstanding N     requests at a time (default 256)
  --rounds N          per client (default 5)
  --seconds S         measured in each round (default 3)
  --only CLIENT       synod or grpc-js
  --json [FILE]       prints all measurements as JSON, or writes them
`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', default: false },
    servers: { type: 'string', default: 'synod' },
    outstanding: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

const outstanding = Number(options.outstanding)
const seconds = Number(options.seconds)
const warmUpSeconds = 1

type ClientName = 'synod' | 'grpc-js'

interface Measurement {
  readonly server: string
  readonly client: ClientName
  readonly round: number
  readonly requestsPerSecond: number
  readonly cpuMicrosPerRequest: number
  readonly errors: number
}

/** Issues one request; `done` says whether it succeeded. */
type Issue = (done: (isFine: boolean) => void) => void

interface Client {
  readonly issue: Issue
  close(): void
}

const rangePath = '/etcdserverpb.KV/Range'
const key = Buffer.from('bench')
const field = (number: number, bytes: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
// RangeRequest: key = 1, serializable = 7.
const rangeRequest = Buffer.concat([field(1, key), Buffer.from([(7 << 3) | 0, 1])])
const putRequest = Buffer.concat([field(1, key), field(2, Buffer.alloc(64, 'v'))])

function addressOf(endpoint: string): { host: string; port: number } {
  const [host, port] = endpoint.replace('http://', '').split(':')
  return { host: host!, port: Number(port) }
}

async function openOwn(endpoint: string): Promise<Client> {
  const channel = new GrpcChannel(createNodeRuntime({ logLevel: 'error' }), addressOf(endpoint), {})
  const ready = new Promise<void>((resolve, reject) => {
    channel.onStateChange((state) => {
      if (state === 'ready') resolve()
      else if (state !== 'connecting') reject(new Error(channel.failure))
    })
  })
  channel.connect()
  await ready
  await new Promise((resolve) => channel.unary('/etcdserverpb.KV/Put', putRequest, {}, resolve))
  const options = { timeoutMs: 10_000 }
  return {
    issue: (done) => channel.unary(rangePath, rangeRequest, options, (reply) => done(reply.ok)),
    close: () => channel.close(),
  }
}

async function openGrpcJs(endpoint: string): Promise<Client> {
  const client = new grpc.Client(endpoint.replace('http://', ''), grpc.credentials.createInsecure())
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 5_000, (error) => (error === undefined ? resolve() : reject(error)))
  })
  const asIs = (bytes: Buffer): Buffer => bytes
  return {
    issue: (done) => {
      const deadline = Date.now() + 10_000
      client.makeUnaryRequest(rangePath, asIs, asIs, rangeRequest, { deadline }, (error) => done(error === null))
    },
    close: () => client.close(),
  }
}

async function measure(server: string, endpoint: string, name: ClientName, round: number): Promise<Measurement> {
  const client = await (name === 'synod' ? openOwn(endpoint) : openGrpcJs(endpoint))
  let answered = 0
  let errors = 0
  let running = outstanding
  let isOver = false
  const finished = new Promise<void>((resolve) => {
    const onDone = (isFine: boolean): void => {
      answered++
      if (!isFine) errors++
      if (!isOver) client.issue(onDone)
      else if (--running === 0) resolve()
    }
    for (let at = 0; at < outstanding; at++) client.issue(onDone)
  })
  await new Promise((resolve) => setTimeout(resolve, warmUpSeconds * 1_000))
  const answeredBefore = answered
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  const requests = answered - answeredBefore
  const elapsedMs = performance.now() - startedMs
  const cpu = process.cpuUsage(cpuBefore)
  isOver = true
  await finished
  client.close()
  return {
    server,
    client: name,
    round,
    requestsPerSecond: Math.round((requests * 1_000) / elapsedMs),
    cpuMicrosPerRequest: Number(((cpu.user + cpu.system) / requests).toFixed(1)),
    errors,
  }
}

async function startServer(kind: string): Promise<{ readonly endpoint: string; stop(): Promise<void> }> {
  if (kind !== 'synod' && kind !== 'etcd36') throw new Error(`no server is called ${kind}: use synod or etcd36`)
  const cluster = await startCluster({ kind, nodes: 1 })
  return { endpoint: cluster.members[0]!.endpoint, stop: () => cluster.stop() }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}

function table(measurements: readonly Measurement[]): string {
  const lines = ['server   client   requests/s (median)  best      client CPU/request  errors']
  for (const server of new Set(measurements.map((one) => one.server))) {
    for (const client of ['synod', 'grpc-js'] as const) {
      const rows = measurements.filter((one) => one.server === server && one.client === client)
      if (rows.length === 0) continue
      const rates = rows.map((one) => one.requestsPerSecond)
      const cpu = median(rows.map((one) => one.cpuMicrosPerRequest))
      const errors = rows.reduce((sum, one) => sum + one.errors, 0)
      const cells = [server.padEnd(8), client.padEnd(8), String(median(rates)).padEnd(20), String(Math.max(...rates))]
      lines.push(`${cells.join(' ').padEnd(48)}${`${cpu} µs`.padEnd(20)}${errors}`)
    }
  }
  return lines.join('\n')
}

async function run(): Promise<void> {
  const measurements: Measurement[] = []
  const clients = (['synod', 'grpc-js'] as const).filter((name) => options.only === undefined || options.only === name)
  for (const kind of options.servers.split(',')) {
    const server = await startServer(kind)
    try {
      for (let round = 1; round <= Number(options.rounds); round++) {
        for (const name of clients) {
          const one = await measure(kind, server.endpoint, name, round)
          measurements.push(one)
          process.stderr.write(`${kind}, ${name}, round ${round}: ${one.requestsPerSecond}/s, ${one.errors} errors\n`)
        }
      }
    } finally {
      await server.stop()
    }
  }
  const report = JSON.stringify({ outstanding, seconds, measurements }, undefined, 2)
  const file = positionals[0]
  if (options.json && file !== undefined) writeFileSync(file, report)
  console.log(options.json && file === undefined ? report : table(measurements))
}

if (options.help) process.stdout.write(help)
else await run()
