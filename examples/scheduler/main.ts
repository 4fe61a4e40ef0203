/**
 * A leader-elected scheduler: three workers make the same schedule, one of them runs it. Then that one dies, and another
 * goes on. No slot is run twice, and every run carries a fencing token that rises with each leader.
 *
 *     node examples/scheduler/main.ts [connection] [--runs 8] [--json]
 *
 * Each worker has a session of its own, as if it were a process of its own; ending the session is what the engine sees
 * of a process that died. Runs on every engine but Redis.
 */
import type { ScheduledRun } from '../../src/client/index.ts'
import { cleanUp, connectCoordination, perform, type Stage } from '../example.ts'

await perform({ name: 'scheduler', connection: 'embedded:', counts: { runs: 8 }, play })

interface Run {
  readonly worker: string
  readonly slotMs: number
  readonly fencingToken: number
}

async function play(stage: Stage) {
  const plane = await connectCoordination(stage)
  const wanted = stage.count('runs')
  const runs: Run[] = []
  const progress = new EventTarget()

  const workers = await Promise.all(['ada', 'bob', 'cyd'].map(startWorker))
  await runsReach(wanted / 2)
  const { worker: deceased } = runs.at(-1)!
  stage.say(`${deceased} dies`)
  await workers.find(({ name }) => name === deceased)!.session.close()
  await runsReach(runs.length + wanted / 2)
  for (const { schedule } of workers) await schedule.close()

  const slots = runs.map(({ slotMs }) => slotMs)
  const leaders = [...new Set(runs.map(({ worker }) => worker))]
  stage.check('no slot was run twice', new Set(slots).size === slots.length)
  stage.check('another worker went on', leaders.length > 1)
  stage.check(
    'the fencing token rose with the leader, and never fell',
    runs.every((run, i) => {
      const before = runs[i - 1]
      if (before === undefined) return true
      return run.worker === before.worker ? run.fencingToken === before.fencingToken : isAbove(run, before)
    }),
  )
  await cleanUp(plane)
  return { runs: runs.length, leaders, slots }

  async function startWorker(name: string) {
    const session = await plane.session()
    const schedule = plane.schedule('reports', { everyMs: 200, session, onError: () => {} }, (run) => work(name, run))
    return { name, session, schedule }
  }

  function work(worker: string, { scheduledAtMs, fencingToken, signal }: ScheduledRun): void {
    // A run that is late learns by its signal that another may lead now; this work is too short to look.
    signal.throwIfAborted()
    runs.push({ worker, slotMs: scheduledAtMs, fencingToken })
    stage.say(`${worker} runs slot ${new Date(scheduledAtMs).toISOString().slice(17, 23)} with token ${fencingToken}`)
    progress.dispatchEvent(new Event('run'))
  }

  async function runsReach(count: number): Promise<void> {
    while (runs.length < count)
      await new Promise((resolve) => progress.addEventListener('run', resolve, { once: true }))
  }
}

function isAbove(later: Run, earlier: Run): boolean {
  return later.fencingToken > earlier.fencingToken
}
