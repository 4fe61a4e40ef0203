// Our client beside others on the same servers: locks, counters, watches, and requests as such.
// `node bench/sdk.ts --help` says how to use it.
//
// Every client has a process of its own, which stays for the whole run. The sides take turns, workload by workload and
// round by round, so that a disturbance of the machine meets neighbours alike; ratios are taken within a round.
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type RunningServer, startServer } from './sdk/servers.ts'
import { type ClientName, type ServerName, serverNames } from './sdk/side.ts'
import { SideProcess } from './sdk/side-process.ts'
import { measureStartUp } from './sdk/start-up.ts'
import { type Measurement, table } from './sdk/table.ts'
import { workloads } from './sdk/workloads.ts'

const help = `Usage: node bench/sdk.ts [options] [FILE]

  --servers NAME,...    of ${serverNames.join(', ')}. Default: all
  --workloads TEXT,...  those whose name contains one of these. Default: all
  --rounds N            default 5; quick: 1
  --seconds S           measured for each workload in each round; default 1; quick: 0.2
  --quick               about a minute in all; leaves out the start-up figures
  --no-start-up         leaves out the start-up figures
  --profile DIRECTORY   writes a CPU profile of each client's process
  --json [FILE]         prints all measurements as JSON, or writes them and prints the table
`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  allowNegative: true,
  options: {
    help: { type: 'boolean', default: false },
    servers: { type: 'string' },
    workloads: { type: 'string' },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'start-up': { type: 'boolean' },
    profile: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})

const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
const measuredMs = Number(options.seconds ?? (options.quick ? 0.2 : 1)) * 1_000
const warmUpMs = measuredMs / 2

const clientsOf: Readonly<Record<ServerName, readonly ClientName[]>> = {
  synod: ['synod', 'etcd3', 'grpc-js'],
  etcd: ['synod', 'etcd3', 'grpc-js'],
  'etcd-3': ['synod', 'etcd3'],
  embedded: ['synod'],
  zookeeper: ['synod', 'node-zookeeper-client'],
  redis: ['synod', 'redlock+ioredis'],
}

function chosenServers(): readonly ServerName[] {
  const names = options.servers?.split(',') ?? serverNames
  return names.map((name) => {
    const known = serverNames.find((one) => one === name)
    if (known === undefined) throw new Error(`no server is called ${name}; there is ${serverNames.join(', ')}`)
    return known
  })
}

function chosenWorkloads(): readonly string[] {
  const parts = options.workloads?.split(',')
  return Object.keys(workloads).filter((name) => parts === undefined || parts.some((part) => name.includes(part)))
}

/** What is not on this machine is told and left out: the rest is measured. */
async function openAll(servers: RunningServer[], sides: SideProcess[]): Promise<void> {
  for (const name of chosenServers()) {
    try {
      servers.push(await startServer(name))
    } catch (error) {
      process.stderr.write(`left out ${name}: ${String(error)}\n`)
      continue
    }
    for (const client of clientsOf[name])
      sides.push(await SideProcess.open({ server: name, client }, servers.at(-1)!.url, options.profile))
  }
}

async function measureAll(sides: readonly SideProcess[]): Promise<Measurement[]> {
  const all: Measurement[] = []
  for (let round = 1; round <= rounds; round++) {
    for (const workload of chosenWorkloads()) {
      // Every other round backwards: nobody always has the better neighbour.
      for (const side of round % 2 === 1 ? sides : [...sides].reverse()) {
        const measured = await side.measure({ workload, warmUpMs, measuredMs })
        all.push({ ...side.name, workload, round, ...measured })
        if (measured.firstError !== undefined)
          process.stderr.write(`${side.name.client} on ${side.name.server}, ${workload}: ${measured.firstError}\n`)
      }
      process.stderr.write(`round ${round} of ${rounds}: ${workload}\n`)
    }
  }
  return all
}

async function run(): Promise<void> {
  const startedMs = performance.now()
  const servers: RunningServer[] = []
  const sides: SideProcess[] = []
  let measurements: Measurement[]
  try {
    await openAll(servers, sides)
    measurements = await measureAll(sides)
  } finally {
    await Promise.all(sides.map((side) => side.close()))
    await Promise.all(servers.map((server) => server.stop()))
  }
  const startUp = (options['start-up'] ?? !options.quick) ? measureStartUp() : undefined
  const settings = { rounds, measuredMs, cores: cpus().length, node: process.version }
  const json = JSON.stringify({ settings, measurements, startUp }, undefined, 2)
  const [file] = positionals
  if (file !== undefined) writeFileSync(file, json)
  if (options.json && file === undefined) return console.log(json)
  console.log(table(measurements))
  if (startUp !== undefined) console.log(`\n${startUp.lines.join('\n')}`)
  process.stderr.write(`took ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`)
}

if (options.help) process.stdout.write(help)
else await run()
