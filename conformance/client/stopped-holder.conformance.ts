// A holder that stands still (SIGSTOP) beyond its session: another one gets the lock, and what the first had on its way is
// refused by the fence of whatever the lock protects. On real clusters, with a real PostgreSQL as the resource.
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { createFenceTable } from '../../src/client/postgres/index.ts'
import { type Cluster, type ServerKind, skipWithoutServer, startCluster } from '../cluster.ts'
import { PostgresServer, skipWithoutPostgres } from './postgres-server.ts'

const ttlMs = 3_000

class Holder {
  private readonly child: ChildProcessWithoutNullStreams
  private readonly answers: AsyncIterator<string>

  constructor(cluster: Cluster, postgres: PostgresServer) {
    const engine = cluster.kind === 'synod' ? 'synod' : 'etcd'
    const program = join(import.meta.dirname, 'holder-process.ts')
    const args = [program, engine, String(cluster.members[0]!.clientPort), String(ttlMs), postgres.connection.host]
    this.child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.pipe(process.stderr)
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  /** Without waiting: a stopped process finds it when it goes on. */
  say(command: string): void {
    this.child.stdin.write(`${command}\n`)
  }

  async answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.answers.next()
    assert(done !== true, 'the holder ended')
    return JSON.parse(value) as Record<string, unknown>
  }

  ask(command: string): Promise<Record<string, unknown>> {
    this.say(command)
    return this.answer()
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}

for (const kind of ['synod', 'etcd36'] as const satisfies readonly ServerKind[]) {
  const skip = skipWithoutServer(kind) || skipWithoutPostgres()
  describe(`a stopped holder on ${kind}`, { skip, timeout: 120_000 }, () => {
    it('comes too late with its writes, and knows that it lost the lock', async () => {
      const cluster = await startCluster({ kind, nodes: 1 })
      const postgres = await PostgresServer.start()
      const holders: Holder[] = []
      try {
        const sql = await postgres.connect()
        await sql.query(createFenceTable())
        await sql.query('CREATE TABLE stock (id serial PRIMARY KEY, entry text NOT NULL)')
        const first = new Holder(cluster, postgres)
        const second = new Holder(cluster, postgres)
        holders.push(first, second)

        const { token } = await first.ask('acquire')
        assert.deepEqual(await first.ask('write first'), { outcome: 'written' })
        assert.deepEqual(await first.ask('post first'), { outcome: 'written' })
        second.say('acquire')
        assert.equal((await first.ask('check'))['held'], true)

        first.signal('SIGSTOP')
        // It looked before it was stopped, and goes on with what it had in mind.
        for (const command of ['check', 'write late', 'post late', 'check']) first.say(command)
        const next = await second.answer()
        assert((next['token'] as number) > (token as number))
        assert.deepEqual(await second.ask('write second'), { outcome: 'written' })
        assert.deepEqual(await second.ask('post second'), { outcome: 'written' })

        first.signal('SIGCONT')
        const { held, remainingMs } = await first.answer()
        assert.deepEqual({ held, remainingMs }, { held: false, remainingMs: 0 })
        assert.deepEqual(await first.answer(), { outcome: 'FENCED' })
        assert.deepEqual(await first.answer(), { outcome: 'FENCED' })
        assert.equal((await first.answer())['aborted'], true)

        assert.equal((await second.ask('check'))['held'], true)
        const { rows } = await sql.query<{ entry: string }>('SELECT entry FROM stock ORDER BY id')
        assert.deepEqual(
          rows.map((row) => row.entry),
          ['first', 'second'],
        )
        await sql.end()
      } finally {
        for (const holder of holders) await holder.end()
        await postgres.stop()
        await cluster.stop()
      }
    })
  })
}
