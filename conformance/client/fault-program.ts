// One client program of the fault tests: takes a lock, stands in an election, counts, writes and watches, all at once,
// until its standard input says `stop`, and notes what it was told. After `cling` it lets go of neither lock nor leadership
// any more until they are lost, and says {"clings":true} for each once it has it.
//   node fault-program.ts URL synod|etcd NAME FROM_REVISION
// Prints {"progress":[locks, terms, increments, puts]} while it runs, and {"journal":…} when it has stopped and its
// watches have told of the key `w/end`.
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, SynodError, type SynodErrorCode } from '../../src/client/index.ts'
import { machineMonotonicMs } from '../../src/runtime/node/index.ts'
import { emptyJournal, type Reign } from './fault-journal.ts'

const [url = '', engine, name = '', fromRevision] = process.argv.slice(2)
if (engine !== 'synod' && engine !== 'etcd') throw new Error(`no engine of these tests: ${engine}`)

const holdMs = 15
const waitMs = 4_000
const lastKey = 'w/end'
const synod = await connect(url, { engine, sessionTtlMs: 3_000, requestTimeoutMs: 2_000 })
const journal = emptyJournal()
const ending = new AbortController()
const watching = new AbortController()

/** What cut connections and killed nodes lead to. */
const explained: ReadonlySet<SynodErrorCode> = new Set([
  'TIMEOUT',
  'UNAVAILABLE',
  'SESSION_LOST',
  'LOCK_LOST',
  'NOT_LEADER',
  'FENCED',
  'CANCELLED',
])

/** Runs `step` again and again; failures that a fault explains are part of it. */
async function repeat(what: string, step: () => Promise<void>): Promise<void> {
  while (!ending.signal.aborted)
    try {
      await step()
    } catch (error) {
      if (error instanceof SynodError && explained.has(error.code)) await delay(5)
      else journal.unexpected.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
    }
}

/** What is not let go the next time, until it is lost. */
const clinging = new Set<Reign[]>()

/** Holds on until `work` has succeeded, however often it takes, or the handle says that it does not hold any more. */
async function reign(
  reigns: Reign[],
  token: number,
  assertHeld: () => void,
  work: () => Promise<unknown>,
): Promise<void> {
  const fromMs = machineMonotonicMs()
  const own: Reign = { token, fromMs, untilMs: fromMs }
  let isWorking = true
  let isHolding = true
  const clings = clinging.delete(reigns)
  const attempt = (): void => {
    work().then(
      () => (isWorking = false),
      () => {
        if (isHolding) setTimeout(attempt, 50)
      },
    )
  }
  attempt()
  let isRecorded = false
  while (clings || isWorking || own.untilMs < fromMs + holdMs) {
    const nowMs = machineMonotonicMs()
    try {
      assertHeld()
    } catch {
      journal.lost++
      isHolding = false
      return
    }
    own.untilMs = nowMs
    if (!isRecorded) reigns.push(own)
    if (!isRecorded && clings) void tell({ clings: true })
    isRecorded = true
    await delay(2)
  }
}

async function takeLock(): Promise<void> {
  const held = await synod.lock('shared').acquire({ waitMs })
  const { fencingToken } = held
  const work = () => synod.fence('shared').put('guarded', name, fencingToken)
  try {
    await reign(journal.locks, fencingToken, () => held.assertHeld(), work)
  } finally {
    await held.release()
  }
}

async function lead(): Promise<void> {
  const leadership = await synod.election('shared').campaign({ value: name, waitMs })
  const work = () => leadership.proclaim(`${name}, busy`)
  try {
    await reign(journal.terms, leadership.fencingToken, () => leadership.assertLeader(), work)
  } finally {
    await leadership.resign()
  }
}

async function count(): Promise<void> {
  try {
    journal.counter.acknowledged.push(await synod.counter('shared').increment())
  } catch (error) {
    if (error instanceof SynodError && error.outcome === 'not-applied') journal.counter.refused++
    else journal.counter.unknown++
    throw error
  }
  await delay(5)
}

let sequence = 0
async function write(): Promise<void> {
  const key = `w/${name}/${String(sequence++).padStart(6, '0')}`
  try {
    const { revision } = await synod.kv.put(key, '')
    journal.puts.acknowledged.push([key, revision])
  } catch (error) {
    if (error instanceof SynodError && error.outcome === 'unknown') journal.puts.unknown++
    throw error
  }
  await delay(10)
}

async function watchHistory(): Promise<void> {
  const { signal } = watching
  for await (const { key, revision } of synod.kv.watch({ prefix: 'w/', fromRevision: Number(fromRevision), signal })) {
    journal.watched.push([key, revision])
    if (key === lastKey) return
  }
}

async function watchLatest(): Promise<void> {
  const { signal } = watching
  for await (const change of synod.kv.watch({ prefix: 'w/', mode: 'latest', signal })) {
    if (change.type === 'put') journal.latest[change.key] = change.entry.modRevision
    if (change.key === lastKey) return
  }
}

function tell(what: object): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(what)}\n`, () => resolve()))
}

const noted = (work: Promise<void>): Promise<void> =>
  work.catch((error: unknown) => {
    journal.unexpected.push(`a watch ended: ${String(error)}`)
  })
const watches = Promise.all([noted(watchHistory()), noted(watchLatest())])
const running = Promise.all([
  repeat('lock', takeLock),
  repeat('election', lead),
  repeat('counter', count),
  repeat('put', write),
])
const progress = setInterval(() => {
  const { locks, terms, counter, puts } = journal
  void tell({ progress: [locks.length, terms.length, counter.acknowledged.length, puts.acknowledged.length] })
}, 100)

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'cling') {
    clinging.add(journal.locks).add(journal.terms)
  } else if (line === 'stop') {
    ending.abort()
    await running
    clearInterval(progress)
    await tell({ stopped: true })
  } else if (line === 'finish') {
    const patience = setTimeout(() => watching.abort(), 20_000)
    await watches
    clearTimeout(patience)
    await tell({ journal })
    break
  }
}
await synod.close()
process.exit(0)
