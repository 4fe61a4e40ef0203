// A program that holds a lock and does what it is told, line by line, so that a test can stop it in between.
//   node holder-process.ts ENGINE PORT TTL_MS [POSTGRES_SOCKET_FOLDER]
// Prints one JSON line for each command:
//   acquire         {"token":N}
//   check           {"held":true|false,"remainingMs":N,"aborted":true|false}
//   write VALUE     {"outcome":"written"|CODE}     through the fence of the key-value space, without a look at the clock
//   post VALUE      {"outcome":"written"|CODE}     through the fence of PostgreSQL, likewise
import { createInterface } from 'node:readline'
import pg from 'pg'
import type { PlaneContext } from '../../src/client/context.ts'
import { openEtcdDriver } from '../../src/client/drivers/etcd/index.ts'
import { createFence, createLock, type HeldLock } from '../../src/client/locks/index.ts'
import { fencedUpdate } from '../../src/client/postgres/index.ts'
import { createSessions } from '../../src/client/sessions/index.ts'
import { hostTracing } from '../../src/client/tracing.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'

const [engine = 'synod', port, ttlMs, socketFolder] = process.argv.slice(2)
if (engine !== 'synod' && engine !== 'etcd') throw new Error(`unknown engine ${engine}`)

const driver = await openEtcdDriver(
  { engine, endpoints: [{ host: '127.0.0.1', port: Number(port) }] },
  createNodeRuntime({ logLevel: 'error' }),
)
const sessions = createSessions(driver, { ttlMs: Number(ttlMs) })
const context: PlaneContext = { driver, sessions, tracing: hostTracing(driver.engine), namespace: '' }
const fence = createFence(context, 'stock')
let held: HeldLock | undefined

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

function isHeld(): boolean {
  try {
    held!.assertHeld()
    return true
  } catch {
    return false
  }
}

async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'written'
  } catch (error) {
    return String((error as { code?: unknown }).code)
  }
}

async function post(value: string): Promise<void> {
  const client = new pg.Client({ host: socketFolder!, user: 'postgres', database: 'postgres' })
  await client.connect()
  try {
    const { fencingToken } = held!
    await fencedUpdate(client, 'stock', fencingToken, async (tx) => {
      await tx.query('INSERT INTO stock (entry) VALUES ($1)', [value])
    })
  } finally {
    await client.end()
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, value = ''] = line.split(' ')
  if (command === 'acquire') {
    held = await createLock(context, 'stock').acquire()
    tell({ token: held.fencingToken })
  } else if (command === 'check') {
    // The clock first: a stopped process reads it before any timer has run.
    tell({ held: isHeld(), remainingMs: held!.remainingMs(), aborted: held!.signal.aborted })
  } else if (command === 'write') {
    tell({ outcome: await outcomeOf(fence.put('stock', value, held!.fencingToken)) })
  } else if (command === 'post') {
    tell({ outcome: await outcomeOf(post(value)) })
  }
}
await sessions.close()
await driver.close()
