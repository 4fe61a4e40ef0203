// Fencing tokens in a real PostgreSQL.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { createFenceTable, fencedUpdate } from '../../src/client/postgres/index.ts'
import { PostgresServer, skipWithoutPostgres } from './postgres-server.ts'

const skip = skipWithoutPostgres()
let server: PostgresServer
let pool: pg.Pool

before(async () => {
  if (skip !== false) return
  server = await PostgresServer.start()
  pool = new pg.Pool(server.connection)
  await pool.query(createFenceTable())
  await pool.query(createFenceTable())
  await pool.query('CREATE TABLE ledger (id serial PRIMARY KEY, entry text NOT NULL, token bigint NOT NULL)')
})

after(async () => {
  if (skip !== false) return
  await pool.end()
  await server.stop()
})

function post(at: pg.Pool | pg.Client, token: number, entry: string, resource = 'ledger'): Promise<void> {
  return fencedUpdate(at, resource, token, async (tx) => {
    await tx.query('INSERT INTO ledger (entry, token) VALUES ($1, $2)', [entry, token])
  })
}

function door(): [Promise<void>, () => void] {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return [opened, open]
}

async function entries(): Promise<string[]> {
  const { rows } = await pool.query<{ entry: string }>('SELECT entry FROM ledger ORDER BY id')
  return rows.map((row) => row.entry)
}

test('writes with the same or a higher token; an older one writes nothing', { skip }, async () => {
  await post(pool, 5, 'five')
  await post(pool, 5, 'five again')
  await post(pool, 2 ** 53 - 2, 'far')
  let ran = false
  const late = fencedUpdate(pool, 'ledger', 6, async () => {
    ran = true
  })
  await assert.rejects(late, { code: 'FENCED', outcome: 'not-applied', retryable: false })
  assert.equal(ran, false)
  await post(pool, 1, 'elsewhere', 'other resource')
  assert.deepEqual(await entries(), ['five', 'five again', 'far', 'elsewhere'])
  await assert.rejects(post(pool, -1, 'x'), { code: 'INVALID_ARGUMENT' })
})

test('the second waits for the first: one that is older finds the door closed when it opens', { skip }, async () => {
  const [older, newer] = [await server.connect(), await server.connect()]
  try {
    await post(older, 10, 'ten', 'queue')
    const [entered, enter] = door()
    const [opened, open] = door()
    const first = fencedUpdate(newer, 'queue', 12, async (tx) => {
      enter()
      await opened
      await tx.query("INSERT INTO ledger (entry, token) VALUES ('twelve', 12)")
    })
    await entered
    const refusals: unknown[] = []
    const second = post(older, 11, 'eleven', 'queue').catch((error: unknown) => {
      refusals.push(error)
    })
    // It is certain to wait for the lock on the row when the server says so.
    for (;;) {
      const { rows } = await pool.query("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
      if (rows.length > 0) break
    }
    assert.deepEqual(refusals, [])
    open()
    await first
    await second
    assert.deepEqual(
      refusals.map((error) => (error as { code: string }).code),
      ['FENCED'],
    )
    assert(!(await entries()).includes('eleven'))
  } finally {
    await Promise.all([older.end(), newer.end()])
  }
})

test('what the work throws rolls back the token too, and the connection is usable', { skip }, async () => {
  const client = await server.connect()
  try {
    const broken = fencedUpdate(client, 'rolled', 9, async (tx) => {
      await tx.query("INSERT INTO ledger (entry, token) VALUES ('broken', 9)")
      throw new Error('mine')
    })
    await assert.rejects(broken, /mine/)
    await post(client, 3, 'three', 'rolled')
    const swallowed = fencedUpdate(client, 'rolled', 4, async (tx) => {
      await tx.query('no SQL at all').catch(() => {})
    })
    await assert.rejects(swallowed, { code: 'CONFLICT', outcome: 'not-applied' })
    assert(!(await entries()).includes('broken'))
    const before = pool.totalCount
    await assert.rejects(
      fencedUpdate(pool, 'rolled', 5, () => Promise.reject(new Error('mine'))),
      /mine/,
    )
    assert.equal(pool.totalCount, Math.max(1, before), 'the connection went back to the pool')
  } finally {
    await client.end()
  }
})

test('a commit whose connection breaks is of unknown fate', { skip }, async () => {
  const client = await server.connect()
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const cut = {
    query: async (text: string, values?: unknown[]) => {
      if (text === 'COMMIT') await pool.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid])
      return client.query(text, values)
    },
  }
  await assert.rejects(
    fencedUpdate(cut, 'broken', 1, async () => {}),
    { code: 'UNAVAILABLE', outcome: 'unknown' },
  )
})

test('many tokens at once: what was committed last has the highest', { skip }, async () => {
  const tokens = Array.from({ length: 60 }, (_, i) => 1 + ((i * 37) % 60))
  await Promise.allSettled(tokens.map((token) => post(pool, token, `many-${token}`, 'many')))
  const written = (await entries()).filter((entry) => entry.startsWith('many-'))
  assert.equal(written.at(-1), 'many-60')
  const { rows } = await pool.query("SELECT token FROM synod_fences WHERE resource = 'many'")
  assert.equal(rows[0]?.token, '60')
})

test('a table of another name, in a schema', { skip }, async () => {
  await pool.query('CREATE SCHEMA app')
  await pool.query(createFenceTable('app.tokens'))
  await fencedUpdate(pool, 'r', 1, async () => {}, { table: 'app.tokens' })
  await assert.rejects(
    fencedUpdate(pool, 'r', 0, async () => {}, { table: 'app.tokens' }),
    { code: 'FENCED' },
  )
  assert.throws(() => createFenceTable('a"b'), { code: 'INVALID_ARGUMENT' })
})
