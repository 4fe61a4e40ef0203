// Measures failover with default settings: from the moment the leader is killed, stopped or cut off in silence to the
// first acknowledged write among those begun after it. Clients are on the other members, each with one write under way,
// sent again at once on failure.
//
//   node conformance/faults/failover-figures.ts [runs] [kill|stop|cut …]
import { machineMonotonicMs } from '../../src/runtime/node/index.ts'
import type { Member } from '../member.ts'
import { Channel } from './channel.ts'
import { leaderOf, sameRevision } from './checks.ts'
import { median, spread } from './figures.ts'
import { Load } from './load.ts'
import { RelayedCluster } from './relay.ts'
import { memberIdOf } from './rpc.ts'

type Fault = 'kill' | 'stop' | 'cut'

const targets: Readonly<Record<Fault, string>> = {
  kill: 'target: median 150 ms or less, worst 1 s',
  stop: 'target: median within two election time-outs, 2 s',
  cut: 'target: median within two election time-outs, 2 s',
}

/** Milliseconds from each fault to the next acknowledged write. */
export async function measureFailover(cluster: RelayedCluster, fault: Fault, runs: number): Promise<number[]> {
  const { members } = cluster
  const channels = members.map((member) => new Channel(member.endpoint))
  const tookMs: number[] = []
  try {
    for (let run = 0; run < runs; run++) {
      await sameRevision(channels)
      const leader = await leaderOf(members, channels)
      const id = await memberIdOf(channels[members.indexOf(leader)]!)
      const others = members.filter((member) => member !== leader)
      const load = new Load(
        others.map((member) => member.endpoint),
        { clients: 4, pauseMs: 0, prefix: `failover/${fault}/${run}/`, moves: false },
      )
      load.start()
      await load.nextAcknowledged()
      const atMs = machineMonotonicMs()
      inflict(cluster, fault, leader, id)
      const first = await load.nextAcknowledged()
      tookMs.push(first.endedMs - atMs)
      await load.stop()
      await undo(cluster, fault, leader)
    }
  } finally {
    for (const channel of channels) channel.close()
  }
  return tookMs
}

function inflict(cluster: RelayedCluster, fault: Fault, leader: Member, id: bigint): void {
  if (fault === 'kill') leader.kill('SIGKILL')
  else if (fault === 'stop') leader.kill('SIGSTOP')
  else cluster.cutOff(leader, id)
}

async function undo(cluster: RelayedCluster, fault: Fault, leader: Member): Promise<void> {
  if (fault === 'kill') {
    await leader.exited()
    leader.start()
  } else if (fault === 'stop') leader.kill('SIGCONT')
  else cluster.heal()
  await leader.ready()
}

if (import.meta.main) {
  const runs = Number(process.argv[2] ?? 20)
  const named = process.argv.slice(3) as Fault[]
  const cluster = await RelayedCluster.start()
  try {
    for (const fault of named.length > 0 ? named : (['kill', 'stop', 'cut'] as const)) {
      const tookMs = await measureFailover(cluster, fault, runs)
      console.log(`${fault}: ${tookMs.map((ms) => ms.toFixed(0)).join(' ')}`)
      console.log(`${fault}: ${spread(tookMs)} (${targets[fault]}; median ${median(tookMs).toFixed(1)} ms)`)
    }
  } finally {
    await cluster.stop()
  }
  process.exit(0)
}
