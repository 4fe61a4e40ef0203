/**
 * A replicated counter: several workers increment one counter of a cluster at the same time, and no increment is lost or
 * counted twice. Each gets a value that nobody else gets.
 *
 *     node examples/counter/main.ts [connection] [--workers 5] [--each 200] [--json]
 *
 * By default on a cluster of three nodes inside this process. Runs on every engine.
 */
import { connectMany, perform, type Stage } from '../example.ts'

await perform({ name: 'counter', connection: 'embedded:?nodes=3', counts: { workers: 5, each: 200 }, play })

async function play(stage: Stage) {
  const workers = stage.count('workers')
  const each = stage.count('each')
  const planes = await connectMany(stage, workers)
  stage.say(`${workers} workers increment one counter ${each} times each, on ${planes[0]!.engine}`)

  const startMs = performance.now()
  const seen = await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const counter = planes[worker % planes.length]!.counter('visits')
      const values: number[] = []
      for (let i = 0; i < each; i++) values.push(await counter.increment())
      stage.say(`worker ${worker} is done: its first value was ${values[0]}, its last ${values.at(-1)}`)
      return values
    }),
  )
  const tookMs = Math.round(performance.now() - startMs)

  const total = workers * each
  const value = await planes[0]!.counter('visits').get()
  const distinct = new Set(seen.flat())
  stage.check(`the counter stands at ${total}`, value === total)
  stage.check(`every value from 1 to ${total} was given out exactly once`, distinct.size === total && isUpTo(distinct))
  stage.check(
    'values of one worker only rise',
    seen.every((values) => values.every((v, i) => i === 0 || v > values[i - 1]!)),
  )
  stage.say(`${Math.round((total / tookMs) * 1000)} increments a second`)
  for (const plane of planes) await plane.close()
  return { value, workers, each, tookMs }

  function isUpTo(values: ReadonlySet<number>): boolean {
    return [...values].every((v) => v >= 1 && v <= total)
  }
}
