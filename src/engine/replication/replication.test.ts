/** The whole replication stack (core, host, transport, write-ahead log, snapshots) in simulated worlds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { concatBytes, crc32c, utf8Bytes } from '../../base/index.ts'
import type { MemberId } from '../../core/index.ts'
import type { Address } from '../../runtime/index.ts'
import { createSimulation, type Simulation } from '../../runtime/simulation/index.ts'
import type { Algorithm } from './algorithm.ts'
import type { Group, ProposalOutcome } from './group.ts'
import { paxosAlgorithm } from './paxos-algorithm.ts'
import { raftAlgorithm } from './raft-algorithm.ts'
import type { ReplicatedGroup } from './replicated-group.ts'
import { ReplicationHost } from './replication-host.ts'
import { RestoreError, type StateMachine, type StateRestorer, type StateSnapshot } from './state-machine.ts'

/** Remembers every command in order: the least forgiving state machine. */
class Journal implements StateMachine<number> {
  commands: string[] = []

  apply(command: Uint8Array): number {
    this.commands.push(Buffer.from(command).toString('utf8'))
    return this.commands.length
  }

  snapshot(): StateSnapshot {
    const image = utf8Bytes(JSON.stringify(this.commands))
    let offset = 0
    return {
      next: (chunkBytes) => {
        if (offset >= image.length) return undefined
        const chunk = image.slice(offset, offset + chunkBytes)
        offset += chunk.length
        return chunk
      },
      close() {},
    }
  }

  restore(): StateRestorer {
    const chunks: Uint8Array[] = []
    return {
      write: (chunk) => chunks.push(chunk.slice()),
      finish: () => {
        try {
          this.commands = JSON.parse(Buffer.from(concatBytes(chunks)).toString('utf8')) as string[]
        } catch (error) {
          throw new RestoreError(String(error))
        }
      },
    }
  }

  hash(): number {
    return crc32c(utf8Bytes(this.commands.join('\n')))
  }
}

interface Member {
  readonly name: string
  readonly id: MemberId
  journal: Journal
  host: ReplicationHost | undefined
  group: ReplicatedGroup<number, unknown> | undefined
  failure: unknown
}

const names = ['a', 'b', 'c'] as const

class World {
  readonly simulation: Simulation
  readonly members: Member[]
  readonly acknowledged: string[] = []
  readonly rejected: string[] = []
  readonly unknown: string[] = []
  private readonly algorithm: Algorithm<unknown>
  private nextCommand = 0

  constructor(seed: string, algorithm: Algorithm<unknown>, count = 3) {
    this.algorithm = algorithm
    this.simulation = createSimulation({ seed })
    this.members = names.slice(0, count).map((name, i) => {
      this.simulation.createNode(name)
      return { name, id: BigInt(i + 1), journal: new Journal(), host: undefined, group: undefined, failure: undefined }
    })
  }

  async start(member: Member): Promise<void> {
    const { runtime } = this.simulation.node(member.name)
    const address = (name: string): Address => ({ host: name, port: 2380 })
    const others = this.members.filter((other) => other !== member)
    const work = (async () => {
      await runtime.disk.makeDirectory('/data')
      await runtime.disk.syncDirectory('/')
      const host = await ReplicationHost.open({
        runtime,
        directory: '/data',
        clusterId: 7n,
        memberId: member.id,
        incarnation: member.id,
        listen: [address(member.name)],
        peers: new Map(others.map((other) => [other.id, address(other.name)])),
        groups: [1],
        options: { snapshotCount: 50, snapshotLogBytes: 2000, tailCount: 20, tailBytes: 1000, lagBytesMax: 4000 },
        walSegmentBytes: 64 * 1024,
        onFailure: (error) => {
          member.failure = error
        },
        recognises: () => true,
        onRefused: () => {},
      })
      const journal = new Journal()
      const group = await host.addGroup({
        group: 1,
        algorithm: this.algorithm,
        machine: journal,
        initialConfiguration: { voters: this.members.map((other) => other.id), outgoing: [], learners: [] },
      })
      await host.start()
      Object.assign(member, { host, journal, group })
    })()
    await this.simulation.runUntilDone(work)
  }

  async startAll(): Promise<void> {
    for (const member of this.members) await this.start(member)
  }

  crash(member: Member, kind: 'power-loss' | 'process-death' = 'power-loss'): void {
    this.simulation.crash(member.name, kind)
    member.group = undefined
    member.host = undefined
  }

  async restart(member: Member): Promise<void> {
    this.simulation.restart(member.name)
    await this.start(member)
  }

  /** Proposes a fresh command on a member; its fate is recorded. */
  propose(member: Member, done?: (outcome: ProposalOutcome<number>) => void): void {
    const group: Group<number> | undefined = member.group
    if (group === undefined) return
    const command = `${member.name}${this.nextCommand++}`
    group.propose(utf8Bytes(command), (outcome) => {
      if (outcome.ok) this.acknowledged.push(command)
      else if (outcome.outcome === 'not-applied') this.rejected.push(command)
      else this.unknown.push(command)
      done?.(outcome)
    })
  }

  get leader(): Member | undefined {
    return this.members.find((member) => member.group?.status().role === 'leader')
  }

  async untilLeader(): Promise<Member> {
    await this.run(() => this.leader !== undefined, 10_000)
    return this.leader!
  }

  async run(until: () => boolean, forMs: number): Promise<void> {
    const end = await this.simulation.run({ until, untilMs: this.simulation.nowMs + forMs })
    assert.equal(end, 'until', `nothing came of it within ${forMs} ms (seed ${this.simulation.seed})`)
  }

  async pass(forMs: number): Promise<void> {
    await this.simulation.run({ untilMs: this.simulation.nowMs + forMs })
  }

  /** After the world healed: one more command commits, all journals are equal, and every fate was told truly. */
  async judge(): Promise<void> {
    for (const member of this.members) assert.equal(member.failure, undefined, String(member.failure))
    const before = this.acknowledged.length
    const end = this.simulation.nowMs + 20_000
    while (this.acknowledged.length === before && this.simulation.nowMs < end) {
      this.propose(this.members[0]!)
      await this.pass(1000)
    }
    assert.ok(this.acknowledged.length > before, `no progress after healing (seed ${this.simulation.seed})`)
    await this.run(() => new Set(this.members.map((member) => member.journal.hash())).size === 1, 30_000)
    const applied = this.members[0]!.journal.commands
    const appliedSet = new Set(applied)
    assert.equal(appliedSet.size, applied.length, 'a command was applied twice')
    for (const command of this.acknowledged) assert.ok(appliedSet.has(command), `lost acknowledged ${command}`)
    for (const command of this.rejected) assert.ok(!appliedSet.has(command), `applied ${command}, told not-applied`)
    for (const member of this.members) member.group?.validate()
  }
}

for (const algorithm of [raftAlgorithm, paxosAlgorithm] as Algorithm<unknown>[])
  describe(`replication on ${algorithm.name}`, () => {
    test('one node alone commits after its own sync', async () => {
      const world = new World('single', algorithm, 1)
      await world.startAll()
      await world.untilLeader()
      world.propose(world.members[0]!)
      await world.run(() => world.acknowledged.length === 1, 1000)
      assert.deepEqual(world.members[0]!.journal.commands, ['a0'])
    })

    test('three nodes agree on commands proposed anywhere', async () => {
      const world = new World('agree', algorithm)
      await world.startAll()
      await world.untilLeader()
      for (let round = 0; round < 50; round++) {
        for (const member of world.members) for (let i = 0; i < 5; i++) world.propose(member)
        await world.pass(5)
      }
      await world.judge()
      assert.equal(world.acknowledged.length, 751)
    })

    test('a linearizable read on any node sees what was acknowledged before it', async () => {
      const world = new World('reads', algorithm)
      await world.startAll()
      const leader = await world.untilLeader()
      for (let i = 0; i < 20; i++) {
        let acknowledged = false
        world.propose(leader, (outcome) => {
          acknowledged = outcome.ok
        })
        await world.run(() => acknowledged, 1000)
        const sizes: number[] = []
        for (const member of world.members)
          member.group!.linearizableRead((outcome) => {
            assert.ok(outcome.ok)
            sizes.push(member.journal.commands.length)
          })
        await world.run(() => sizes.length === 3, 1000)
        assert.ok(
          sizes.every((size) => size >= i + 1),
          String(sizes),
        )
      }
    })

    test('after the leader dies, another one commits within a fraction of the election time-out', async () => {
      for (let seed = 0; seed < 10; seed++) {
        const world = new World(`failover-${seed}`, algorithm)
        await world.startAll()
        const leader = await world.untilLeader()
        await world.pass(500)
        world.crash(leader, 'process-death')
        const diedAtMs = world.simulation.nowMs
        const survivor = world.members.find((member) => member !== leader)!
        world.propose(survivor)
        await world.run(() => world.acknowledged.length + world.rejected.length + world.unknown.length > 0, 3000)
        const tookMs = world.simulation.nowMs - diedAtMs
        assert.ok(tookMs < 500, `took ${tookMs} ms with seed ${seed}`)
        await world.restart(leader)
        await world.judge()
      }
    })

    test('a node that was away for long is brought back by a snapshot', async () => {
      const world = new World('snapshot', algorithm)
      await world.startAll()
      const leader = await world.untilLeader()
      const away = world.members.find((member) => member !== leader)!
      world.crash(away)
      for (let round = 0; round < 60; round++) {
        for (let i = 0; i < 50; i++) world.propose(leader)
        await world.pass(20)
      }
      await world.restart(away)
      await world.judge()
      const received = world.simulation.logLines.some((line) => line.message === 'receiving a snapshot')
      assert.ok(received, 'the log alone brought it back: the test tests nothing')
      for (const member of world.members) {
        world.crash(member)
        await world.restart(member)
      }
      await world.judge()
    })

    test('a node whose disk is full hands leadership away and comes back when there is room', async () => {
      const world = new World('full', algorithm)
      await world.startAll()
      const leader = await world.untilLeader()
      world.simulation.node(leader.name).setDisk({ full: true })
      let other: Member | undefined
      for (let round = 0; round < 3000 && other === undefined; round++) {
        for (let i = 0; i < 10; i++) world.propose(leader)
        await world.pass(20)
        other = world.members.find((member) => member !== leader && member.group?.status().role === 'leader')
      }
      assert.ok(other !== undefined, 'leadership stayed on the full disk')
      const before = world.acknowledged.length
      for (let i = 0; i < 10; i++) world.propose(other)
      await world.run(() => world.acknowledged.length >= before + 10, 3000)
      world.simulation.node(leader.name).setDisk({ full: false })
      await world.judge()
    })

    test('a node whose sync fails stops, and the others go on', async () => {
      const world = new World('sync-fails', algorithm)
      await world.startAll()
      const leader = await world.untilLeader()
      world.simulation.node(leader.name).setDisk({ failSyncs: true })
      world.propose(leader)
      await world.run(() => leader.failure !== undefined, 3000)
      assert.equal(world.acknowledged.length, 0)
      world.crash(leader)
      world.simulation.node(leader.name).setDisk({ failSyncs: false })
      leader.failure = undefined
      await world.restart(leader)
      await world.judge()
    })

    for (let seed = 0; seed < 12; seed++) {
      test(`random faults, seed ${seed}`, async () => {
        const world = new World(`chaos-${seed}`, algorithm)
        const { random } = world.simulation
        await world.startAll()
        for (let round = 0; round < 60; round++) {
          for (const member of world.members)
            if (member.group !== undefined) for (let i = random.below(6); i > 0; i--) world.propose(member)
          await faultOrRepair(world)
          await world.pass(random.below(400))
        }
        world.simulation.heal()
        for (const member of world.members) {
          world.simulation.setLink(member.name, names[0] === member.name ? 'b' : 'a', { lossProbability: 0 })
          if (!world.simulation.node(member.name).alive) await world.restart(member)
        }
        await world.judge()
      })
    }
  })

async function faultOrRepair(world: World): Promise<void> {
  const { random } = world.simulation
  const member = world.members[random.below(world.members.length)]!
  const other = world.members[random.below(world.members.length)]!
  const alive = world.simulation.node(member.name).alive
  switch (random.below(8)) {
    case 0:
      if (alive && world.members.every((each) => world.simulation.node(each.name).alive)) world.crash(member)
      return
    case 1:
      if (alive) world.crash(member, 'process-death')
      return
    case 2:
    case 3:
      if (!alive) await world.restart(member)
      return
    case 4:
      if (other !== member) world.simulation.setLink(member.name, other.name, { cut: true })
      return
    case 5:
      return world.simulation.heal()
    case 6:
      if (other !== member) world.simulation.setOneWayLink(member.name, other.name, { lossProbability: 0.1 })
      return
    default:
      return
  }
}
