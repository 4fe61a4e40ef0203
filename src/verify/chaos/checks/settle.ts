/**
 * What is demanded of the cluster once the world has healed: that every node serves again within a bound, that nothing
 * acknowledged is missing, and that all nodes hold the same.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { KvEntry } from '../../history/index.ts'
import { EtcdClient } from '../client/etcd-client.ts'
import type { ChaosCluster } from '../cluster/chaos-cluster.ts'
import type { ChaosNode } from '../cluster/chaos-node.ts'
import type { Recorder } from '../recorder.ts'
import { ballastBegin, ballastEnd, ballastName } from '../workload/ballast-worker.ts'
import { keysBegin, keysEnd } from '../workload/key-space.ts'
import { type Ledger, ledgerBegin, ledgerEnd } from '../workload/ledger-worker.ts'
import { entryOf } from '../workload/operations.ts'
import { type Finding, invalid, valid } from './finding.ts'

const attemptTimeoutMs = 2000
const retryMs = 50
const readTimeoutMs = 10_000

/** Every node must carry out a write and a linearizable read within `boundMs` from now. */
export async function checkProgress(cluster: ChaosCluster, recorder: Recorder, boundMs: number): Promise<Finding> {
  const check = 'progress'
  const startMs = recorder.nowMs()
  const times = await Promise.all(
    cluster.founders.map(async (node) => {
      const client = new EtcdClient(node.clientUrl)
      try {
        for (let attempt = 0; recorder.nowMs() - startMs < boundMs; attempt++) {
          const served = await serves(client, node, recorder, attempt)
          if (served) return recorder.nowMs() - startMs
          await delay(retryMs)
        }
        return undefined
      } finally {
        client.close()
      }
    }),
  )
  const idle = cluster.founders.filter((_, at) => times[at] === undefined)
  if (idle.length === 0) {
    const longestMs = Math.max(...times.map((time) => time ?? 0))
    return valid(check, `all ${times.length} nodes served ${(longestMs / 1000).toFixed(2)} s after the last fault`)
  }
  const words = idle.map((node) => `${node.name}: ${node.running ? 'runs' : 'is down'}; log ${node.logPath}`)
  const network = cluster.mesh.describe().join(' | ')
  return invalid(
    check,
    `no progress ${boundMs / 1000} s after the last fault at ${words.join('; ')}. The network: ${network}`,
  )
}

async function serves(client: EtcdClient, node: ChaosNode, recorder: Recorder, attempt: number): Promise<boolean> {
  const key = `progress/${node.name}`
  const input = { op: 'put', key, value: 'on' } as const
  // A client of its own for each attempt, as the outcome may be unknown.
  const about = { type: 'operation', client: `progress.${node.name}.${attempt}`, node: node.name, input } as const
  const invokedMs = recorder.nowMs()
  try {
    const revision = await client.put(key, input.value, attemptTimeoutMs)
    recorder.add({ ...about, invokedMs, returnedMs: recorder.nowMs(), outcome: 'ok', output: { revision } })
    return (await client.range({ key }, attemptTimeoutMs)).entries.length === 1
  } catch (error) {
    recorder.add({ ...about, invokedMs, outcome: 'unknown', error: (error as Error).message })
    return false
  }
}

/**
 * The last write to the watched keys, recorded as an operation; resolves with its revision. Each failed attempt has a
 * key and a client of its own, as its outcome may be unknown.
 */
export async function writeLast(client: EtcdClient, recorder: Recorder): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const invokedMs = recorder.nowMs()
    const input = { op: 'put', key: `${keysBegin}last/${attempt}`, value: 'last' } as const
    const about = { type: 'operation', client: `last.${attempt}`, invokedMs, input } as const
    try {
      const revision = await client.put(input.key, input.value, readTimeoutMs)
      recorder.add({ ...about, returnedMs: recorder.nowMs(), outcome: 'ok', output: { revision } })
      return revision
    } catch (error) {
      recorder.add({ ...about, outcome: 'unknown', error: (error as Error).message })
      if (attempt === 3) throw error
    }
  }
}

/** Reads every hot key and every large value once more, each recorded as a linearizable read: a write lost late is seen too. */
export async function readAllLast(client: EtcdClient, recorder: Recorder): Promise<Finding> {
  const hot = await readRange(client, recorder, keysBegin, keysEnd)
  record(recorder, hot, hot.entries)
  const check = 'large-values'
  const large = await readRange(client, recorder, ballastBegin, ballastEnd)
  const named: KvEntry[] = []
  for (const entry of large.entries) {
    const name = ballastName(entry.value)
    if (name === undefined) return invalid(check, `the value of ${entry.key} is not as any client wrote it`)
    named.push({ ...entry, value: name })
  }
  record(recorder, large, named)
  return valid(check, `${named.length} large values are whole`)
}

interface RangeRead {
  readonly begin: string
  readonly invokedMs: number
  readonly returnedMs: number
  readonly revision: number
  readonly entries: readonly KvEntry[]
}

async function readRange(client: EtcdClient, recorder: Recorder, begin: string, end: string): Promise<RangeRead> {
  const invokedMs = recorder.nowMs()
  const { revision, entries } = await client.range({ key: begin, end }, readTimeoutMs)
  return { begin, invokedMs, returnedMs: recorder.nowMs(), revision, entries: entries.map(entryOf) }
}

/** One read for each key below the range's begin that the history names, found or not. */
function record(
  recorder: Recorder,
  { begin, invokedMs, returnedMs, revision }: RangeRead,
  entries: readonly KvEntry[],
): void {
  const found = new Map(entries.map((entry) => [entry.key, entry]))
  let number = 0
  for (const key of keysNamed(recorder, begin)) {
    const entry = found.get(key)
    recorder.add({
      type: 'operation',
      client: `reader.${begin}${number++}`,
      invokedMs,
      returnedMs,
      outcome: 'ok',
      input: { op: 'get', key },
      output: { revision, entries: entry === undefined ? [] : [entry] },
    })
  }
}

function keysNamed(recorder: Recorder, begin: string): Set<string> {
  const named = new Set<string>()
  for (const each of recorder.records) {
    if (each.type !== 'operation' || each.input.op === 'range') continue
    const { input } = each
    const keys = input.op === 'txn' ? [...input.success, ...input.failure].map((step) => step.key) : [input.key]
    for (const key of keys) if (key.startsWith(begin)) named.add(key)
  }
  return named
}

/** Acknowledged writes of the ledger are there, failed ones are not, and nothing else is. */
export async function checkLedger(client: EtcdClient, ledger: Ledger): Promise<Finding> {
  const check = 'acknowledged-writes'
  const { entries } = await client.range({ key: ledgerBegin, end: ledgerEnd }, readTimeoutMs)
  const found = new Map(entries.map((entry) => [entry.key, entry]))
  let acknowledged = 0
  for (const [key, { value, outcome }] of ledger.outcomes) {
    const entry = found.get(key)
    found.delete(key)
    if (outcome === 'ok') {
      acknowledged++
      if (entry === undefined) return invalid(check, `the write of ${key} was acknowledged, and the key is not there`)
    }
    if (outcome === 'failed' && entry !== undefined)
      return invalid(check, `the write of ${key} was refused with certainty, and the key is there`)
    if (entry !== undefined && (entry.value !== value || entry.version !== 1))
      return invalid(
        check,
        `${key} was written once, with ${value}; it holds ${entry.value} at version ${entry.version}`,
      )
  }
  const [foreign] = found.keys()
  if (foreign !== undefined) return invalid(check, `${foreign} is there, and no client wrote it`)
  return valid(check, `${acknowledged} acknowledged writes are there, each once`)
}

/** All nodes reach the same revision within `boundMs`, and their records up to it hash the same. */
export async function checkSameState(cluster: ChaosCluster, recorder: Recorder, boundMs: number): Promise<Finding> {
  const check = 'same-state'
  const { nodes } = cluster
  const clients = nodes.map((node) => new EtcdClient(node.clientUrl))
  try {
    const startMs = recorder.nowMs()
    for (;;) {
      const revisions = await Promise.all(
        clients.map((client) =>
          client.status(attemptTimeoutMs).then(
            (status) => status.revision,
            () => 0,
          ),
        ),
      )
      const highest = Math.max(...revisions)
      if (revisions.every((revision) => revision === highest && revision > 0)) break
      if (recorder.nowMs() - startMs > boundMs) {
        const words = nodes.map((node, at) => `${node.name} ${revisions[at] === 0 ? 'no answer' : revisions[at]}`)
        return invalid(check, `the nodes did not reach one revision in ${boundMs / 1000} s: ${words.join(', ')}`)
      }
      await delay(retryMs)
    }
    const { revision } = await clients[0]!.status(attemptTimeoutMs)
    const hashes = await Promise.all(clients.map((client) => client.hashKv(revision, readTimeoutMs)))
    for (const [at, hash] of hashes.entries())
      recorder.add({ type: 'stateHash', node: nodes[at]!.name, at: revision, hash: hash.toString(16) })
    if (new Set(hashes).size > 1) {
      const words = nodes.map((node, at) => `${node.name} ${hashes[at]!.toString(16)}`)
      return invalid(check, `the nodes' records differ at revision ${revision}: ${words.join(', ')}`)
    }
    return valid(check, `${nodes.length} nodes have the same records at revision ${revision}`)
  } finally {
    for (const client of clients) client.close()
  }
}
