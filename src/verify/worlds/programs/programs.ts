/** The programs of a world: machines that use the client, and what is demanded of them. */

import { createCounter } from '../../../client/counters/index.ts'
import { createKv } from '../../../client/kv/index.ts'
import type { Random } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/simulation/index.ts'
import { between, pick, shuffled } from '../chance.ts'
import { FencedResource } from '../load/fenced-resource.ts'
import type { Recorder } from '../recorder.ts'
import { clientPort } from '../settings.ts'
import { violationOf } from '../violation.ts'
import type { Activity, ProgramWorld } from './activity.ts'
import { type ClientLife, ClientMachine, isExpected } from './client-machine.ts'
import { ConfigActivity } from './config-activity.ts'
import { CounterActivity, counterName } from './counter-activity.ts'
import { IdsActivity } from './ids-activity.ts'
import {
  ElectionActivity,
  MultiLockActivity,
  MutexActivity,
  RwLockActivity,
  SemaphoreActivity,
} from './lock-activities.ts'
import { QueueActivity, queueName } from './queue-activity.ts'
import { type FinalState, type Follower, HistoryActivity, LatestActivity } from './watch-activities.ts'
import { WriterActivity, watchedRange } from './writer-activity.ts'

export const activityNames = [
  'mutex',
  'multi-lock',
  'rw-lock',
  'semaphore',
  'election',
  'counter',
  'queue',
  'ids',
  'config',
  'watches',
] as const
export type ActivityName = (typeof activityNames)[number]

/** Where primitives keep what is theirs. */
const ownKeys = { key: 'synod/', end: 'synod0' } as const

/** What the programs of a world are like. */
export interface ProgramShape {
  readonly machines: number
  /** What each of them does, all at the same time. */
  readonly activities: readonly ActivityName[]
  /** Between two turns of an activity, on average. */
  readonly pauseMs: number
  readonly sessionTtlMs: number
  readonly requestTimeoutMs: number
  /** The share of holders that hold on until their session is lost, most often. */
  readonly longHolds: number
}

export function drawPrograms(random: Random): ProgramShape {
  const count = pick(random, [1, 3, 3, 5])
  return {
    machines: between(random, 2, 4),
    activities: shuffled(random, activityNames).slice(0, count),
    pauseMs: pick(random, [50, 150, 400]),
    sessionTtlMs: pick(random, [2000, 3000, 6000]),
    requestTimeoutMs: pick(random, [1000, 3000]),
    longHolds: pick(random, [0, 0.1, 0.3]),
  }
}

/** What the programs live in. */
export interface ProgramSetting {
  readonly simulation: Simulation
  readonly recorder: Recorder
  readonly nodes: readonly string[]
  readonly driftPpm: number
  readonly fail: (error: unknown) => void
}

interface Seat {
  readonly machine: ClientMachine
  readonly activities: readonly Activity[]
}

export class Programs {
  readonly machines: readonly ClientMachine[]
  private readonly setting: ProgramSetting
  private readonly seats: readonly Seat[]
  private readonly followers: Follower[] = []
  private readonly shape: ProgramShape
  /** Of the processes that live: what of them goes on. */
  private readonly lives = new Map<ClientMachine, ClientLife>()
  private turning = 0
  private following = 0
  private healed = false
  private final: FinalState | undefined

  constructor(setting: ProgramSetting, random: Random, shape: ProgramShape) {
    this.setting = setting
    this.shape = shape
    const { simulation, recorder, driftPpm, fail } = setting
    const resources = new Map<string, FencedResource>()
    const world: ProgramWorld = {
      simulation,
      recorder,
      driftPpm,
      fail,
      isHealed: () => this.healed,
      resource(lock) {
        const known = resources.get(lock) ?? new FencedResource(lock, recorder)
        resources.set(lock, known)
        return known
      },
    }
    const settings = {
      nodes: setting.nodes,
      port: clientPort,
      sessionTtlMs: shape.sessionTtlMs,
      requestTimeoutMs: shape.requestTimeoutMs,
      driftPpm: 2 * driftPpm,
    }
    this.seats = Array.from({ length: shape.machines }, (_, i) => {
      const name = `p${i + 1}`
      const own = random.fork(name)
      const activities = shape.activities.flatMap((each) => this.activitiesOf(each, world, own.fork(each), name))
      const machine = new ClientMachine(simulation, name, settings, (life) => this.live(life, activities))
      return { machine, activities }
    })
    this.machines = this.seats.map(({ machine }) => machine)
    if (shape.machines > 0) recorder.add({ type: 'unrecorded', ...ownKeys })
  }

  start(): void {
    for (const machine of this.machines) machine.start()
  }

  /** What is demanded of a world that is healed: each activity of each machine completes something from now on. */
  round(): { readonly waiting: readonly string[] } {
    this.healed = true
    const due = this.seats.flatMap(({ machine, activities }) =>
      activities.map((activity) => ({ machine, activity, before: activity.completed })),
    )
    return {
      get waiting() {
        return due
          .filter(({ activity, before }) => activity.completed === before)
          .map(({ machine, activity }) => `${activity.name} on ${machine.name}`)
      },
    }
  }

  /** Nothing more is begun; followers go on. */
  stop(): void {
    for (const machine of this.machines) machine.stop()
  }

  /** After `stop`: nothing is under way but followers. */
  get idle(): boolean {
    return this.turning === 0
  }

  /** After `idle`: reads what all came to, through the client. */
  audit(): { readonly done: boolean } {
    const audit = { done: false }
    const [life] = this.lives.values()
    if (life === undefined) audit.done = true
    else
      void this.readAll(life).then(
        () => {
          audit.done = true
        },
        (error: unknown) => this.setting.fail(error),
      )
    return audit
  }

  /** After the audit: who of the followers has not seen the final state yet. */
  get behind(): readonly string[] {
    const { final } = this
    if (final === undefined) return []
    return this.followers.filter((each) => !each.hasCaughtUpWith(final)).map(({ name }) => name)
  }

  /** Ends the followers, too. */
  end(): void {
    for (const machine of this.machines) machine.end()
  }

  get ended(): boolean {
    return this.following === 0
  }

  private activitiesOf(name: ActivityName, world: ProgramWorld, random: Random, machine: string): Activity[] {
    const { pauseMs, sessionTtlMs, longHolds } = this.shape
    const long = { share: longHolds, lastMs: 2 * sessionTtlMs }
    switch (name) {
      case 'mutex':
        return [new MutexActivity(world, random, pauseMs, long)]
      case 'multi-lock':
        return [new MultiLockActivity(world, random, pauseMs, long)]
      case 'rw-lock':
        return [new RwLockActivity(world, random, pauseMs, long)]
      case 'semaphore':
        return [new SemaphoreActivity(world, random, pauseMs, long)]
      case 'election':
        return [new ElectionActivity(world, random, pauseMs, long)]
      case 'counter':
        return [new CounterActivity(world, random, pauseMs)]
      case 'queue':
        return [new QueueActivity(world, random, pauseMs)]
      case 'ids':
        return [new IdsActivity(world, random, pauseMs)]
      case 'config':
        return [new ConfigActivity(world, random, pauseMs, machine)]
      case 'watches': {
        const followers = [
          new HistoryActivity(world, random.fork('history'), `${machine}-history`),
          new LatestActivity(random.fork('latest'), `${machine}-latest`),
        ]
        this.followers.push(...followers)
        return [new WriterActivity(world, random.fork('writer'), pauseMs), ...followers]
      }
    }
  }

  private live(life: ClientLife, activities: readonly Activity[]): void {
    this.lives.set(life.machine, life)
    life.onEnd.add(() => this.lives.delete(life.machine))
    this.setting.recorder.count('program started')
    for (const activity of activities) {
      const follows = this.followers.includes(activity as Follower)
      const begun = (by: 1 | -1): void => {
        if (follows) this.following += by
        else this.turning += by
      }
      begun(1)
      const over = (): void => {
        if (life.onEnd.delete(over)) begun(-1)
      }
      life.onEnd.add(over)
      activity.run(life).then(over, (error: unknown) => this.setting.fail(violationOf(error)))
    }
  }

  private async readAll(life: ClientLife): Promise<void> {
    const { recorder } = this.setting
    const { activities } = this.shape
    const { context } = life
    const { driver } = context
    if (activities.includes('counter')) {
      const counter = createCounter(context, counterName)
      const invokedMs = recorder.nowMs
      const value = await untilAnswered(life, () => counter.get())
      recorder.add({
        ...{ type: 'counter', counter: counterName, client: `${life.name}-audit`, op: 'get', invokedMs },
        ...{ outcome: 'ok', returnedMs: recorder.nowMs, value },
      })
    }
    if (activities.includes('queue')) {
      const jobs = await untilAnswered(life, async () => {
        const texts: string[] = []
        const left = createKv(context).list({ prefix: `synod/queues/${queueName}/jobs/` })
        for await (const entry of left) texts.push(entry.text())
        return texts
      })
      recorder.add({ type: 'queueLeft', queue: queueName, jobs })
    }
    if (activities.includes('watches')) {
      const { entries, revision } = await untilAnswered(life, () => driver.list(watchedRange))
      this.final = { revision, modRevisions: new Map(entries.map(({ key, modRevision }) => [key, modRevision])) }
    }
  }
}

async function untilAnswered<T>(life: ClientLife, read: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await read()
    } catch (error) {
      if (!isExpected(error)) throw error
      await life.sleep(200)
    }
  }
}
