// Synod's proxy beside nginx and HAProxy: one worker each, the same servers, core and load, access logs on.
// `node bench/proxy.ts --help` says how to use it.
//
// All proxies run the whole time and take turns, workload by workload and round by round; ratios are those of medians.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type IdleResult, measureIdle } from './proxy/idle-connections.ts'
import { type Side, type SideName, sideNames, startBackends, startSide } from './proxy/sides.ts'
import { type Measurement, ratioTo, table } from './proxy/table.ts'
import { workloads } from './proxy/workloads.ts'

const help = `Usage: node bench/proxy.ts [options]

  --sides NAME,...      of ${sideNames.join(', ')}. Default: all; quick: without haproxy
  --workloads TEXT,...  those whose name contains one of these. Default: all
  --rounds N            default 5; quick: 1, and 4 of small GETs
  --seconds S           of each workload in each round, whole seconds; default 4; quick: 1
  --idle N              idle connections whose memory is measured; default 10000; 0: none
  --quick               at most 45 s in all; the last line is the ratio of small GETs to nginx
  --json FILE           also writes all measurements as JSON
`

const { values: options } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    sides: { type: 'string' },
    workloads: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    idle: { type: 'string' },
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})

const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
/** Of the workload whose ratio the last line tells. */
const mainRounds = Number(options.rounds ?? (options.quick ? 4 : 5))
const mainWorkload = 'GET small'
const seconds = Number(options.seconds ?? (options.quick ? 1 : 4))
const idleConnections = Number(options.idle ?? (options.quick ? 0 : 10_000))

function chosenSides(): readonly SideName[] {
  const names = options.sides?.split(',') ?? sideNames.filter((name) => name !== 'haproxy' || !options.quick)
  return names.map((name) => {
    const known = sideNames.find((one) => one === name)
    if (known === undefined) throw new Error(`no proxy is called ${name}; there is ${sideNames.join(', ')}`)
    return known
  })
}

async function measureAll(sides: readonly Side[], folder: string): Promise<Measurement[]> {
  const parts = options.workloads?.split(',')
  const chosen = workloads(folder).filter(
    ({ name }) => parts === undefined || parts.some((part) => name.includes(part)),
  )
  const all: Measurement[] = []
  for (let round = 0; round <= mainRounds; round++) {
    for (const workload of chosen) {
      if (round > rounds && workload.name !== mainWorkload) continue
      for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
        const cpuBefore = side.cpuSeconds()
        const result = await workload.run(side.ports, round === 0 ? 1 : seconds, folder)
        // The first round warms up.
        if (round === 0) continue
        const cpu = side.cpuSeconds() - cpuBefore
        const cpuMicroseconds = (cpu * 1e6) / (result.requestsPerSecond * seconds)
        all.push({
          side: side.name,
          workload: workload.name,
          target: workload.target,
          round,
          cpuMicroseconds,
          ...result,
        })
      }
      process.stderr.write(`round ${round}: ${workload.name}\n`)
    }
  }
  return all
}

async function measureIdleAll(sides: readonly Side[]): Promise<Map<SideName, IdleResult>> {
  const results = new Map<SideName, IdleResult>()
  if (idleConnections === 0) return results
  // HAProxy reserves two descriptors a connection, more than a process may have on many machines.
  for (const side of sides.filter(({ name }) => name !== 'haproxy')) {
    results.set(side.name, await measureIdle(side, idleConnections))
    process.stderr.write(`idle connections: ${side.name}\n`)
  }
  return results
}

async function run(): Promise<void> {
  const backends = await startBackends()
  const sides: Side[] = []
  try {
    for (const name of chosenSides()) sides.push(await startSide(name, backends))
    const idle = await measureIdleAll(sides)
    const measurements = await measureAll(sides, backends.folder)
    report(measurements, idle)
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
    await backends.stop()
  }
}

function report(measurements: readonly Measurement[], idle: ReadonlyMap<SideName, IdleResult>): void {
  const settings = { rounds, seconds, cores: cpus().length, node: process.version }
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      JSON.stringify({ settings, measurements, idle: Object.fromEntries(idle) }, undefined, 2),
    )
  console.log(table(measurements))
  for (const [side, { connections, pssBefore, pssWith, rssWith }] of idle) {
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0)
    console.log(
      `${side}: ${connections} idle connections: ${megabytes(pssWith)} MB (PSS; ${megabytes(pssBefore)} MB before; RSS ${megabytes(rssWith)} MB)`,
    )
  }
  const small = ratioTo(measurements, mainWorkload, 'synod', 'nginx')
  if (small !== undefined) console.log(`small GET, ratio to nginx: ${small.toFixed(2)}`)
}

if (options.help) console.log(help)
else await run()
