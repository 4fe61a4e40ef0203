// What each balancing policy does behind the real proxy while one of five servers is killed, stopped or slow: the table of
// docs/BENCHMARKS.md. `node bench/balance.ts --help` says how to use it.
//
// Servers, proxy and load share the machine, so latencies are of interest by their order of magnitude alone.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  type Lane,
  type LaneSettings,
  Load,
  laneConfig,
  lanes,
  quantileMs,
  type Seen,
  serversCount,
  UpstreamServer,
} from '../conformance/proxy/failover-ground.ts'
import { type ProxyProcess, startProxy } from '../conformance/proxy/proxy-process.ts'
import { measureRegistry } from './balance/registry.ts'

const help = `Usage: node bench/balance.ts [options]

  --policies NAME,...  default: all, over HTTP/1.1; there is ${lanes.map(({ name }) => name).join(', ')}
  --seconds S          of each measurement; default 1
  --clients N          of HTTP/1.1, and as many streams of HTTP/2; default 8
  --no-registry        leave out how long the registry's news take

spread   the least and the most of the five servers' shares while all are well, as percentages of a fifth
killed   one is killed with -9 under load         failed requests, 99th percentile
stopped  one stands still (SIGSTOP) under load    the same
slow     one takes 2 s for every answer           the same, and its share of all requests that reached servers
Retries are on. The last three columns are without attempt time-out and outlier ejection: what the policy does alone.
`

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    policies: { type: 'string' },
    seconds: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
    registry: { type: 'boolean', default: true },
  },
  allowNegative: true,
})

const guarded: LaneSettings = {
  route: 'retry: { attempts: 3 }, timeouts: { attempt: 400ms }',
  upstream: 'outlier: { failures: 3, interval: 500ms, ejection: 2s }',
}
const alone: LaneSettings = { route: 'retry: { attempts: 3 }', upstream: 'outlier: off' }

function chosenLanes(): readonly Lane[] {
  const names = options.policies?.split(',')
  if (names === undefined) return lanes.filter(({ protocol }) => protocol === 'http1')
  return names.map((name) => {
    const lane = lanes.find((each) => each.name === name)
    if (lane === undefined)
      throw new Error(`no policy is called ${name}; there is ${lanes.map((each) => each.name).join(', ')}`)
    return lane
  })
}

/** Load on one lane: a while before the fault, then the measured time with it. */
async function measure(proxy: ProxyProcess, lane: Lane, fault: () => unknown): Promise<Seen> {
  const clients = Number(options.clients)
  const load = new Load(proxy.port('web'), lane.name).addHttp1(clients).addHttp2(clients)
  await delay(250)
  await fault()
  load.take()
  await delay(Number(options.seconds) * 1_000)
  return load.stop()
}

async function arrivals(servers: readonly UpstreamServer[], lane: Lane): Promise<number[]> {
  const counts = await Promise.all(servers.map((server) => server.counts()))
  return counts.map((each) => each[lane.name] ?? 0)
}

const failedAndP99 = ({ failed, latenciesMs }: Seen): string[] => [
  `${failed}`,
  `${quantileMs(latenciesMs, 0.99).toFixed(0)} ms`,
]

class Table {
  private readonly widths: readonly number[]

  constructor(heads: readonly string[]) {
    this.widths = heads.map((head) => Math.max(head.length, 8))
    this.row(heads)
  }

  row(cells: readonly string[]): void {
    const padded = cells.map((cell, at) => (at === 0 ? cell.padEnd(21) : cell.padStart(this.widths[at]!)))
    console.log(padded.join('  '))
  }
}

interface Ground {
  readonly servers: readonly UpstreamServer[]
  readonly proxy: ProxyProcess
  readonly bare: ProxyProcess
}

async function measureLane({ servers, proxy, bare }: Ground, lane: Lane): Promise<string[]> {
  const [killed, stopped, slowed] = servers as [UpstreamServer, UpstreamServer, UpstreamServer]
  const well = await measure(proxy, lane, () => {})
  const shares = servers.map(({ name }) => ((well.byServer.get(name) ?? 0) / well.requests) * serversCount * 100)
  const spread = `${Math.min(...shares).toFixed(0)}–${Math.max(...shares).toFixed(0)} %`
  const afterKill = await measure(proxy, lane, () => killed.kill())
  await killed.start()
  const stopping = measure(proxy, lane, () => stopped.signal('SIGSTOP'))
  const afterStop = await stopping
  stopped.signal('SIGCONT')
  const slow = await measureSlow(servers, proxy, lane, slowed)
  const slowAlone = await measureSlow(servers, bare, lane, slowed)
  const cells = [afterKill, afterStop].flatMap(failedAndP99)
  return [lane.name, spread, ...cells, ...slow, ...slowAlone]
}

async function measureSlow(
  servers: readonly UpstreamServer[],
  proxy: ProxyProcess,
  lane: Lane,
  slowed: UpstreamServer,
): Promise<string[]> {
  let before: number[] = []
  const seen = await measure(proxy, lane, async () => {
    slowed.slow(2_000)
    before = await arrivals(servers, lane)
  })
  const after = await arrivals(servers, lane)
  slowed.slow(0)
  const grown = after.map((count, at) => count - before[at]!)
  const share = (grown[servers.indexOf(slowed)]! / grown.reduce((sum, count) => sum + count, 0)) * 100
  return [...failedAndP99(seen), `${share.toFixed(1)} %`]
}

async function run(): Promise<void> {
  const chosen = chosenLanes()
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'synod-bench-balance-')))
  const servers = Array.from({ length: serversCount }, (_, at) => new UpstreamServer(`s${at}`))
  const proxies: ProxyProcess[] = []
  try {
    await Promise.all(servers.map((server) => server.start()))
    for (const [at, settings] of [guarded, alone].entries()) {
      proxies.push(await startProxy(folders[at]!, laneConfig(servers, chosen, settings)))
    }
    const [proxy, bare] = proxies as [ProxyProcess, ProxyProcess]
    const faults = ['killed', 'p99', 'stopped', 'p99', 'slow', 'p99', 'share', 'alone', 'p99', 'share']
    const table = new Table(['policy', '  spread  ', ...faults])
    for (const lane of chosen) table.row(await measureLane({ servers, proxy, bare }, lane))
    if (options.registry) console.log(await measureRegistry())
  } finally {
    await Promise.all([...proxies, ...servers].map((each) => each.kill()))
    for (const folder of folders) rmSync(folder, { recursive: true })
  }
}

if (options.help) console.log(help)
else await run()
