/** synod up: a cluster on this machine, each node a process of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { DiskError, type DiskLock } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { parseArguments, wholeNumber } from '../arguments.ts'
import { CommandError, formatTable, ProgressLine, printJson, printLine } from '../output.ts'
import { fetchStatus, type NodeStatus, statusHeader, statusRow } from '../status.ts'
import { type ClusterLayout, freePort, isFree, nodeCounts, openLayout } from './layout.ts'
import { NodeProcess } from './node-process.ts'

/** Says where a running cluster serves clients, to whoever is refused its directory. */
const addressesFile = 'UP.addresses'
/** A cluster that does not serve by then is reported as not coming up, in milliseconds. */
const startTimeoutMs = 60_000

interface RunningNode {
  readonly name: string
  readonly endpoint: string
  readonly process: NodeProcess
}

export async function up(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('up', args, {
    nodes: { type: 'string' },
    data: { type: 'string' },
    consensus: { type: 'string' },
    ephemeral: { type: 'boolean' },
    json: { type: 'boolean' },
  })
  if (operands.length > 0) throw new CommandError(`synod up takes no "${operands[0]}". See synod up --help.`, 2)
  const count = typeof flags['nodes'] === 'string' ? wholeNumber('nodes', flags['nodes'], 1, 5) : undefined
  if (count !== undefined && !nodeCounts.includes(count))
    throw new CommandError(
      '--nodes must be 1, 3 or 5: an even number of nodes tolerates no more faults than one less.',
      2,
    )
  const { consensus } = flags
  if (consensus !== undefined && consensus !== 'raft' && consensus !== 'paxos')
    throw new CommandError('--consensus must be raft or paxos.', 2)
  const ephemeral = flags['ephemeral'] === true
  if (ephemeral && flags['data'] !== undefined)
    throw new CommandError('--ephemeral and --data contradict each other: leave one out.', 2)
  const directory = ephemeral
    ? mkdtempSync(join(tmpdir(), 'synod-'))
    : resolve(typeof flags['data'] === 'string' ? flags['data'] : '.synod')
  const removeIfEphemeral = () => {
    if (ephemeral) rmSync(directory, { recursive: true, force: true })
  }
  try {
    await runCluster(directory, { count, consensus }, flags['json'] === true)
  } finally {
    removeIfEphemeral()
  }
}

interface WantedLayout {
  readonly count: number | undefined
  readonly consensus: 'raft' | 'paxos' | undefined
}

async function runCluster(directory: string, { count, consensus }: WantedLayout, json: boolean): Promise<void> {
  const ended = untilSignal()
  const runtime = createNodeRuntime({ logLevel: 'error' })
  await runtime.disk.makeDirectory(directory)
  const lock = await claim(runtime.disk, directory)
  const addressesPath = join(directory, addressesFile)
  const nodes: RunningNode[] = []
  try {
    rmSync(addressesPath, { force: true })
    const layout = await openLayout(directory, count, consensus)
    nodes.push(...(await prepareNodes(directory, layout, json)))
    writeFileSync(addressesPath, `${nodes.map((node) => node.endpoint).join(', ')}\n`)
    for (const node of nodes) node.process.start()
    const serving = await Promise.race([untilServing(nodes), ended.then(() => undefined)])
    if (serving !== undefined) announce(serving, directory, json)
    await ended
    if (!json) process.stderr.write('\nstopping …\n')
  } finally {
    await Promise.all(nodes.map((node) => node.process.stop()))
    rmSync(addressesPath, { force: true })
    await lock.release()
  }
}

async function claim(disk: { lock(path: string, owner: string): Promise<DiskLock> }, directory: string) {
  try {
    return await disk.lock(join(directory, 'UP.lock'), `synod up, process ${process.pid}`)
  } catch (error) {
    if (error instanceof DiskError && error.code === 'LOCKED')
      throw new CommandError(`a cluster is already running on ${directory}${addressesIn(directory)}. ${error.message}`)
    throw error
  }
}

/** Where the cluster that runs on `directory` serves clients, for a sentence; empty while it is still starting. */
function addressesIn(directory: string): string {
  try {
    return `, serving at ${readFileSync(join(directory, addressesFile), 'utf8').trim()}`
  } catch {
    return ''
  }
}

/** Chooses client ports, says which are not the usual ones, and makes the processes, not yet started. */
async function prepareNodes(directory: string, layout: ClusterLayout, json: boolean): Promise<RunningNode[]> {
  for (const node of layout.nodes)
    if (!(await isFree(node.peerPort)))
      throw new CommandError(
        `port ${node.peerPort}, on which node ${node.name} of this cluster talks to its peers, is taken by another program. Free it, or start a new cluster with another --data directory.`,
      )
  const taken = new Set(layout.nodes.map((node) => node.peerPort))
  const initialCluster = layout.nodes.map((node) => `${node.name}=http://127.0.0.1:${node.peerPort}`).join(',')
  const running: RunningNode[] = []
  for (const { name, peerPort, clientPort } of layout.nodes) {
    const port = await freePort(clientPort, taken)
    if (port !== clientPort) {
      if (json) printJson({ event: 'port-taken', node: name, wanted: clientPort, port })
      else printLine(`port ${clientPort} is taken: ${name} serves clients on ${port}`)
    }
    const endpoint = `http://127.0.0.1:${port}`
    const peerUrl = `http://127.0.0.1:${peerPort}`
    const nodeProcess: NodeProcess = new NodeProcess({
      name,
      logPath: join(directory, name, 'node.log'),
      args: [
        ['--name', name],
        ['--data-dir', join(directory, name)],
        ['--listen-client-urls', endpoint],
        ['--advertise-client-urls', endpoint],
        ['--listen-peer-urls', peerUrl],
        ['--initial-advertise-peer-urls', peerUrl],
        ['--initial-cluster', initialCluster],
        ['--initial-cluster-token', layout.token],
        ['--initial-cluster-state', 'new'],
        ['--consensus', layout.consensus ?? 'raft'],
      ].flat(),
      onStart: (pid) => {
        if (json) printJson({ event: 'node-started', node: name, pid, endpoint })
      },
      onExit: ({ how, restartInMs, lastWords }) => {
        if (json) return printJson({ event: 'node-died', node: name, how, restartInMs, lastWords })
        const next = restartInMs === undefined ? 'not started again' : `starting it again in ${restartInMs} ms`
        printLine(`node ${name} died (${how}); ${next}`)
        if (restartInMs === undefined || !how.startsWith('SIG')) printLine(`  its last words: ${readable(lastWords)}`)
      },
    })
    running.push({ name, endpoint, process: nodeProcess })
  }
  return running
}

/** A log line without its JSON clothes. */
function readable(line: string): string {
  try {
    const { message, reason } = JSON.parse(line) as { message?: string; reason?: string }
    // The trace of a bug stays in the node's log.
    return [message, reason?.split('\n')[0]].filter((part) => part !== undefined).join(': ') || line
  } catch {
    return line
  }
}

/** Resolves with every node's status once all of them know a leader, or rejects when that takes too long. */
async function untilServing(nodes: readonly RunningNode[]): Promise<NodeStatus[]> {
  const progress = new ProgressLine()
  const startMs = performance.now()
  for (;;) {
    const results = await Promise.allSettled(nodes.map((node) => fetchStatus(node.endpoint)))
    const statuses = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    const serving = statuses.filter((status) => status.role !== 'no leader')
    const elapsedMs = performance.now() - startMs
    const givenUp = nodes.some((node) => !node.process.wanted)
    // A majority serves; the others get a little more time to appear in the table.
    const enough = serving.length > nodes.length / 2 && (givenUp || elapsedMs > 10_000)
    if (serving.length === nodes.length || enough) {
      progress.clear()
      return serving
    }
    const lost = nodes.filter((node) => !node.process.wanted).length
    if (lost >= nodes.length / 2 || elapsedMs > startTimeoutMs) {
      progress.clear()
      throw new CommandError(
        lost > 0
          ? 'too few nodes can run; what they said is above.'
          : `the cluster did not come up within ${startTimeoutMs / 1000} s; the nodes' logs are in their data directories (node.log).`,
      )
    }
    progress.show(
      `starting ${nodes.length} nodes: ${statuses.length} up, ${serving.length} serving (${(elapsedMs / 1000).toFixed(1)} s)`,
    )
    await delay(50)
  }
}

function announce(statuses: readonly NodeStatus[], directory: string, json: boolean): void {
  if (json) {
    for (const status of statuses) printJson({ event: 'serving', ...status })
    return
  }
  printLine(formatTable(statusHeader, statuses.map(statusRow)))
  const endpoint = statuses[0]!.endpoint.replace('http://', '')
  printLine(`\nserving, data in ${directory}; try: etcdctl --endpoints=${endpoint} put greeting hello\nCtrl-C ends it`)
}

function untilSignal(): Promise<void> {
  return new Promise((resolvePromise) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolvePromise())
  })
}
