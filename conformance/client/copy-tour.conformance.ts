// A program that moves from engine to engine with `synod copy`, and back to where it began: its data go along, counters
// and ids go on, and the resources that it guards with fencing tokens, a PostgreSQL among them, take its writes
// everywhere and refuse those of whoever was left behind.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { nodeFlags } from '../../node-flags.mjs'
import { type CoordinationPlane, connect } from '../../src/client/index.ts'
import { createFenceTable, fencedUpdate } from '../../src/client/postgres/index.ts'
import {
  type RunningEngine,
  skipWithoutEtcd,
  skipWithoutZooKeeper,
  startEmbedded,
  startServers,
  startZooKeepers,
} from './engines.ts'
import { PostgresServer, skipWithoutPostgres } from './postgres-server.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const jobsAStop = 2

/** Typed in a shell. */
function copy(from: string, to: string, ...flags: string[]): Record<string, number> {
  const args = [...nodeFlags, main, 'copy', from, to, '--json', ...flags]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 })
  assert.equal(status, 0, `copy ${from} ${to}: ${stderr}`)
  return JSON.parse(stdout) as Record<string, number>
}

/** What the program remembers of all stops so far. */
class Traveller {
  private readonly pool: pg.Pool
  private readonly lockTokens: number[] = []
  private readonly electionTokens: number[] = []
  private readonly permitTokens: number[] = []
  private readonly ids: bigint[] = []
  private readonly posted: string[] = []
  private jobs = 0
  private stops = 0

  constructor(pool: pg.Pool) {
    this.pool = pool
  }

  private post(token: number, entry: string): Promise<void> {
    return fencedUpdate(this.pool, 'ledger', token, async (tx) => {
      await tx.query('INSERT INTO ledger (entry) VALUES ($1)', [entry])
    })
  }

  /** Works for a while where it is now. */
  async stopAt(plane: CoordinationPlane): Promise<void> {
    await this.checkData(plane)
    await this.useTokens(plane)
    await this.refuseTheLeftBehind(plane)
    this.stops++
    await plane.kv.put('place', plane.engine)
    for (let i = 0; i < jobsAStop; i++) await plane.queue('jobs').enqueue(`job ${this.jobs++}`)
    assert.equal(await plane.counter('stops').increment(), this.stops)
    await plane.shardedCounter('hits', { shards: 4 }).add(10)
    await plane.versioned().update('trail', (seen) => `${seen?.text() ?? ''}>${plane.engine}`)
    const ids = plane.ids('orders')
    for (let i = 0; i < 50; i++) {
      const id = await ids.next()
      assert.ok(id > (this.ids.at(-1) ?? -1n), `id ${id} after ${this.ids.at(-1)}`)
      this.ids.push(id)
    }
    await ids.close()
  }

  private async checkData(plane: CoordinationPlane): Promise<void> {
    assert.equal(await plane.counter('stops').get(), this.stops)
    assert.equal(await plane.shardedCounter('hits', { shards: 4 }).get(), 10 * this.stops)
    if (this.stops === 0) return
    assert.equal((await plane.versioned().read('trail'))?.text().split('>').length, this.stops + 1)
    assert.equal(await plane.queue('jobs').size(), this.jobs - (this.stops - 1))
    const job = await plane.queue('jobs').dequeue({ waitMs: 10_000 })
    assert.equal(job.text(), `job ${this.stops - 1}`, 'in the order in which they were added')
    await job.ack()
    assert.equal((await plane.fence('ledger').check(this.lockTokens.at(-1)!)) === undefined, true)
  }

  /** Every kind of grant has a greater token than all before, on whatever engine. */
  private async useTokens(plane: CoordinationPlane): Promise<void> {
    for (let i = 0; i < 3; i++) {
      const entry = `stop ${this.stops}, entry ${i}`
      await plane.lock('ledger').run({ waitMs: 10_000 }, async ({ fencingToken }) => {
        rises(this.lockTokens, fencingToken)
        await this.post(fencingToken, entry)
        await plane.fence('ledger').put('ledger/last', entry, fencingToken)
      })
      this.posted.push(entry)
      const leadership = await plane.election('leader').campaign({ waitMs: 10_000 })
      rises(this.electionTokens, leadership.fencingToken)
      await leadership.resign()
      await plane.semaphore('slots', 1).run({ waitMs: 10_000 }, ({ fencingToken }) => {
        rises(this.permitTokens, fencingToken)
      })
    }
    const { rows } = await this.pool.query<{ entry: string }>('SELECT entry FROM ledger ORDER BY id')
    assert.deepEqual(
      rows.map(({ entry }) => entry),
      this.posted,
    )
  }

  /** Tokens of earlier engines, and of earlier grants here, are too old. */
  private async refuseTheLeftBehind(plane: CoordinationPlane): Promise<void> {
    for (const token of this.lockTokens.slice(0, -1)) {
      await assert.rejects(this.post(token, 'late'), { code: 'FENCED', outcome: 'not-applied' })
      await assert.rejects(plane.fence('ledger').put('ledger/last', 'late', token), { code: 'FENCED' })
    }
    assert.equal((await plane.kv.get('ledger/last'))?.text(), this.posted.at(-1))
  }
}

function rises(tokens: number[], token: number): void {
  assert.ok(token > (tokens.at(-1) ?? 0), `token ${token} after ${tokens.at(-1)}`)
  tokens.push(token)
}

async function visit({ url, engine }: RunningEngine, traveller: Traveller): Promise<void> {
  if (engine === 'redis') throw new Error('Redis keeps no key space to move to')
  const plane = await connect(url, { engine })
  try {
    await traveller.stopAt(plane)
  } finally {
    await plane.close()
  }
}

const skip = skipWithoutEtcd() || skipWithoutZooKeeper() || skipWithoutPostgres()

it('a program moves from engine to engine and back', { skip, timeout: 150_000 }, async () => {
  const engines: RunningEngine[] = []
  const postgres = await PostgresServer.start()
  const pool = new pg.Pool(postgres.connection)
  try {
    await pool.query(createFenceTable())
    await pool.query('CREATE TABLE ledger (id serial PRIMARY KEY, entry text NOT NULL)')
    const traveller = new Traveller(pool)
    const home = await startEmbedded()
    engines.push(home)
    engines.push(await startServers('synod', 1), await startServers('etcd36', 1), await startZooKeepers(1))
    await visit(home, traveller)
    for (const [i, next] of engines.slice(1).entries()) {
      copy(engines[i]!.url, next.url)
      await visit(next, traveller)
    }
    // What was left at home is out of date: jobs done since would be there again.
    const plane = await connect(home.url, { engine: 'embedded' })
    await plane.kv.deleteAll({ prefix: '' })
    await plane.close()
    const { different, extra } = copy(engines.at(-1)!.url, home.url)
    assert.deepEqual([different, extra], [0, 0])
    await visit(home, traveller)
  } finally {
    await pool.end()
    await postgres.stop()
    for (const { stop } of engines) await stop()
  }
})
