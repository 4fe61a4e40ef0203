import { binaryString, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, prefixEnd, roomKey } from '../context.ts'
import type { Key, KeyRange } from '../driver/index.ts'
import { SynodError } from '../errors.ts'

/**
 * Where a queue keeps what. A worked example, queue `mail`, job `welcome-7` claimed by a worker while another waits:
 *
 *     synod/queues/mail/jobs/welcome-7        the job's value; its createRevision is its place in the order
 *     synod/queues/mail/claims/welcome-7      on the worker's session; unique to the claim
 *     synod/queues/mail/waiting/SESSION-ID    on the waiting worker's session, in line for the next job
 *     synod/queues/mail/added/welcome-7       on the producer's session: this id was added, also when it is done by now
 */
export interface QueueKeys {
  readonly jobs: KeyRange
  readonly claims: KeyRange
  /** Claims and jobs: they stand side by side. */
  readonly all: KeyRange
  /** The line of workers that found nothing to do. */
  readonly waiting: KeyRange
  job(part: string): Key
  claim(part: string): Key
  waiter(part: string): Key
  added(part: string): Key
  withdrawn(part: string): Key
}

export function queueKeys(context: PlaneContext, name: string): QueueKeys {
  const key =
    (folder: string) =>
    (part: string): Key =>
      roomKey(context, 'queues', name, folder, part)
  const range = (folder: string): KeyRange => {
    const start = key(folder)('')
    return { start, end: prefixEnd(start) }
  }
  const jobs = range('jobs')
  const claims = range('claims')
  return {
    jobs,
    claims,
    all: { start: claims.start, end: jobs.end },
    waiting: range('waiting'),
    job: key('jobs'),
    claim: key('claims'),
    waiter: key('waiting'),
    added: key('added'),
    withdrawn: key('withdrawn'),
  }
}

const idBytesMax = 512

/** An id as a part of a key. */
export function escapedId(id: string): Key {
  if (/\p{Surrogate}/u.test(id))
    throw new SynodError(
      'INVALID_ARGUMENT',
      'a job’s id has one half of a surrogate pair: it was cut within a character',
    )
  const bytes = binaryString(utf8Bytes(id))
  if (bytes.length === 0 || bytes.length > idBytesMax)
    throw new SynodError('INVALID_ARGUMENT', `a job's id has 1 to ${idBytesMax} bytes, this one has ${bytes.length}`)
  return bytes.replaceAll('%', '%25').replaceAll('/', '%2F')
}
