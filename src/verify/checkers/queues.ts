/**
 * Queues: a job that was added is removed once or still there, one that was not is never seen, and only the worker whom it
 * was given to last removes it.
 */
import type { Checker, HistoryRecord, JobRecord, QueueLeftRecord } from '../history/index.ts'
import { groupBy, invalid, recordsOf, valid } from './verdicts.ts'

const property = 'queue-exactness'

type Event<E extends JobRecord['what']['event']> = JobRecord & {
  readonly what: Extract<JobRecord['what'], { event: E }>
}

type Breach = readonly [what: string, ...evidence: HistoryRecord[]]

export const queues: Checker = {
  property,
  check: (history) => {
    const records = recordsOf(history, 'job')
    const left = new Map(recordsOf(history, 'queueLeft').map((record) => [record.queue, record]))
    for (const [queue, ofQueue] of groupBy(records, (record) => record.queue)) {
      for (const [job, events] of groupBy(ofQueue, (record) => record.job)) {
        const breach = review(job, events, left.get(queue))
        if (breach === undefined) continue
        const [what, ...evidence] = breach
        return invalid(property, `Queue ${queue}: job ${job} ${what}.`, evidence)
      }
    }
    return valid(records.length)
  },
}

function review(job: string, events: readonly JobRecord[], left: QueueLeftRecord | undefined): Breach | undefined {
  const of = <E extends JobRecord['what']['event']>(event: E) =>
    events.filter((each): each is Event<E> => each.what.event === event)
  const [added] = of('added')
  const claims = of('claimed')
  const removals = of('removed').filter(({ what }) => what.outcome !== 'failed')
  const certain = removals.filter(({ what }) => what.outcome === 'ok')
  if (added?.what.outcome === 'failed' && claims.length > 0)
    return ['was told as not added, and was there after all', added, ...claims]
  if (certain.length > 1) return ['was removed twice', ...certain]
  const [removal] = certain
  const after = claims.find(
    ({ what }) => removal !== undefined && what.atMs < removal.what.invokedMs && what.token > removal.what.token,
  )
  if (after !== undefined && removal !== undefined)
    return ['was removed by a worker after it had been given to another', after, removal]
  const late = claims.find(({ what }) => removal !== undefined && what.token > removal.what.token)
  if (late !== undefined && removal !== undefined) return ['was given out again after it was removed', removal, late]
  if (left === undefined || added?.what.outcome !== 'ok') return undefined
  const times = left.jobs.filter((each) => each === job).length
  if (times > 1) return ['was added more than once', added, left]
  if (removal !== undefined && times > 0) return ['was removed, and is still there', removal, left]
  if (removals.length === 0 && times === 0) return ['was lost: nobody removed it, and it is not there', added, left]
  return undefined
}
