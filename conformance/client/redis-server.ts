// A real redis-server from Debian on loopback, with an append-only file. Owns the process and its temporary folder; both
// are gone after `stop()`.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { requirePeer } from '../peers.ts'

export class RedisServer {
  readonly port: number
  readonly #folder: string
  readonly #flags: readonly string[]
  #child: ChildProcess | undefined

  private constructor(port: number, flags: readonly string[]) {
    this.port = port
    this.#flags = flags
    this.#folder = mkdtempSync(join(tmpdir(), 'synod-redis-'))
  }

  /** `flags` come after, and so override, those for a server that loses nothing. */
  static async start(...flags: string[]): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), flags)
    await server.restart()
    return server
  }

  /** Starts it again on the same data and port, after {@link crash}. */
  async restart(): Promise<void> {
    const own = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder, '--save', '']
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--enable-debug-command', 'yes']
    this.#child = spawn(requirePeer('redis'), [...own, ...durable, ...this.#flags], { stdio: 'ignore' })
    await this.#ready()
  }

  /** Without a chance to put anything in order. */
  async crash(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  async stop(): Promise<void> {
    await this.crash()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** Like `redis-cli`: a plain client that knows nothing of us. */
  outsider(): Redis {
    return new Redis(this.port, '127.0.0.1')
  }

  async #ready(timeoutMs = 20_000): Promise<void> {
    const endMs = Date.now() + timeoutMs
    const redis = new Redis(this.port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: null })
    redis.on('error', () => {})
    try {
      while ((await Promise.race([redis.ping(), delay(1_000)])) !== 'PONG')
        if (Date.now() > endMs || this.#child?.exitCode !== null) throw new Error('redis-server does not serve')
    } finally {
      redis.disconnect()
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
