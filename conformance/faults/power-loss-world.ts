// A cluster restarted after a power loss: every member's directory is rebuilt from its journal as the loss could have
// left it, on the simulated disks of a simulated world, and the very code that ships is started on them. Simulated, so
// that a hundred restarts take no hundred elections of real time.
import assert from 'node:assert/strict'
import { decodeKeyValue, type KeyValue } from '../../src/cli/etcd-messages.ts'
import { readNodeConfig } from '../../src/node/config/index.ts'
import { type RunningNode, startNode } from '../../src/node/index.ts'
import type { Address, Network, Runtime } from '../../src/runtime/index.ts'
import { type JournalRecord, momentAt, rebuildAt } from '../../src/runtime/power-loss/index.ts'
import { createSimulation, type Simulation } from '../../src/runtime/simulation/index.ts'

/** What a member of a recorded cluster did to its disk, and how to start it again. */
export interface RecordedMember {
  readonly name: string
  readonly peerPort: number
  readonly dataDir: string
  readonly args: readonly string[]
  readonly journal: readonly JournalRecord[]
}

/** How long the restarted cluster has, in its own time, to agree on a leader and answer a read. */
const recoveryMsMax = 30_000

/** The keys under `prefix` that the restarted cluster has, by a linearizable read, after a power loss at `atMs`. */
export async function keysAfterPowerLoss(
  members: readonly RecordedMember[],
  atMs: number,
  seed: string,
  prefix: string,
): Promise<Map<string, KeyValue>> {
  const world = createSimulation({ seed })
  const failures: unknown[] = []
  const nodes = await Promise.all(
    members.map((member) => {
      const { runtime } = world.createNode(member.name)
      return { member, runtime: { ...runtime, network: namedNetwork(runtime.network, member.name, members) } }
    }),
  )
  for (const { member, runtime } of nodes)
    await world.runUntilDone(
      rebuildAt({
        journal: member.journal,
        moment: momentAt(member.journal, atMs),
        sourceDirectory: member.dataDir,
        targetDirectory: member.dataDir,
        targetDisk: runtime.disk,
        random: world.random,
      }),
    )
  const started = nodes.map(({ member, runtime }) => start(member, runtime, failures))
  const running = await world.runUntilDone(Promise.all(started))
  await readable(world, running[0]!, failures)
  assert.deepEqual(failures, [])
  return keysOf(running[0]!, prefix)
}

function start(member: RecordedMember, runtime: Runtime, failures: unknown[]): Promise<RunningNode> {
  const config = readNodeConfig({
    args: [...member.args],
    environment: {},
    readFile: () => '',
  })
  return startNode(config, runtime, {
    onFailure: (error) => failures.push(error),
    processId: 1,
    processMetrics: () => ({ cpuSeconds: 0, residentBytes: 0, heapUsedBytes: 0, startTimeSeconds: 0 }),
  })
}

/** Lets the world go on until a linearizable read at `node` is answered. */
async function readable(world: Simulation, node: RunningNode, failures: readonly unknown[]): Promise<void> {
  let answered = false
  const ask = (): void =>
    node.services.engine.linearizableRead((outcome) => {
      if (outcome.ok) answered = true
      else ask()
    })
  ask()
  const end = await world.run({
    until: () => answered || failures.length > 0,
    untilMs: world.nowMs + recoveryMsMax,
  })
  assert.equal(end, 'until', `the restarted cluster serves (seed ${world.seed}): ${lastLines(world)}`)
}

function keysOf(node: RunningNode, prefix: string): Map<string, KeyValue> {
  const { store } = node.services.engine
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
  const { refs } = store.range({ key: prefix, end }, 0, 0, false)
  return new Map(refs.map((ref) => [store.key(ref), decodeKeyValue(store.encoded(ref))]))
}

/** The recorded members know each other by ports of 127.0.0.1, simulated ones by host names. */
function namedNetwork(network: Network, self: string, members: readonly RecordedMember[]): Network {
  const hostOf = ({ port }: Address): string => members.find((member) => member.peerPort === port)?.name ?? self
  return {
    listen: (address, onConnection) => network.listen({ ...address, host: self }, onConnection),
    connect: (address, options) => network.connect({ ...address, host: hostOf(address) }, options),
  }
}

function lastLines(world: Simulation): string {
  return world.logLines
    .slice(-8)
    .map((line) => JSON.stringify(line))
    .join('\n')
}
