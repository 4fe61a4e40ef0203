// A real PostgreSQL of its own in a temporary folder, on a Unix socket: no port, no data of anybody else's.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { peersRequired } from '../peers.ts'

const debianRoot = '/usr/lib/postgresql'
const install = "Debian's postgresql (any version from 12)"
const startMsMax = 30_000

/** Where Debian or PATH has the server's programs. */
export function findPostgres(): string | undefined {
  const debian = existsSync(debianRoot)
    ? readdirSync(debianRoot).map((version) => join(debianRoot, version, 'bin'))
    : []
  const folders = [...debian.sort().reverse(), ...(process.env['PATH'] ?? '').split(delimiter)]
  return folders.find((folder) => folder !== '' && existsSync(join(folder, 'initdb')))
}

/** node:test's `skip` for a test that needs it. Throws when it is missing and `SYNOD_REQUIRE_PEERS=1`. */
export function skipWithoutPostgres(): string | false {
  if (findPostgres() !== undefined) return false
  if (peersRequired) throw new Error(`SYNOD_REQUIRE_PEERS=1 forbids skips: missing ${install}`)
  return `missing ${install}`
}

/** The server refuses to run as root: then it is Debian's own user. */
function owner(): { uid: number; gid: number } | Record<string, never> {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

export class PostgresServer {
  private readonly folder: string
  private readonly child: ChildProcess

  private constructor(folder: string, child: ChildProcess) {
    this.folder = folder
    this.child = child
  }

  static async start(): Promise<PostgresServer> {
    const programs = findPostgres()
    if (programs === undefined) throw new Error(`missing ${install}`)
    const folder = mkdtempSync(join(tmpdir(), 'synod-postgres-'))
    const as = owner()
    if ('uid' in as && as.uid !== undefined) chownSync(folder, as.uid, as.gid)
    const data = join(folder, 'data')
    const options = ['-D', data, '--auth=trust', '--username=postgres', '--encoding=UTF8', '--no-sync']
    const made = spawnSync(join(programs, 'initdb'), options, { ...as, cwd: folder, encoding: 'utf8' })
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`)
    const settings = ['-c', 'listen_addresses=', '-c', 'fsync=off', '-k', folder]
    const child = spawn(join(programs, 'postgres'), ['-D', data, ...settings], { ...as, cwd: folder, stdio: 'ignore' })
    const server = new PostgresServer(folder, child)
    await server.awaitReady()
    return server
  }

  /** For `pg`'s `Client` and `Pool`. */
  get connection(): { host: string; user: string; database: string } {
    return { host: this.folder, user: 'postgres', database: 'postgres' }
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client(this.connection)
    client.on('error', () => {})
    await client.connect()
    return client
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      this.child.kill('SIGQUIT')
      await once(this.child, 'exit')
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  private async awaitReady(): Promise<void> {
    const endMs = Date.now() + startMsMax
    for (;;) {
      try {
        const client = await this.connect()
        await client.end()
        return
      } catch (error) {
        if (this.child.exitCode !== null || Date.now() > endMs) {
          await this.stop()
          throw error
        }
      }
      await delay(50)
    }
  }
}
