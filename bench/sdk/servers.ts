// The engines of the bench, each in processes of its own on loopback, all durable: what they acknowledge is on disk.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startZooKeeper } from '../../conformance/client/zookeeper-server.ts'
import { type ServerKind, startCluster } from '../../conformance/cluster.ts'
import type { ServerName } from './side.ts'

export interface RunningServer {
  readonly name: ServerName
  readonly url: string
  stop(): Promise<void>
}

/** Throws, saying what is missing, where an engine is not on this machine. */
export function startServer(name: ServerName): Promise<RunningServer> {
  switch (name) {
    case 'synod':
      return startEtcdLike(name, 'synod', 3)
    case 'etcd':
      return startEtcdLike(name, 'etcd36', 1)
    case 'etcd-3':
      return startEtcdLike(name, 'etcd36', 3)
    case 'embedded':
      return startEmbedded()
    case 'zookeeper':
      return startZooKeeperAlone()
    case 'redis':
      return startRedis()
  }
}

async function startEtcdLike(name: ServerName, kind: ServerKind, nodes: number): Promise<RunningServer> {
  const cluster = await startCluster({ kind, nodes })
  const scheme = kind === 'synod' ? 'synod' : 'etcd'
  return { name, url: `${scheme}://${cluster.endpoints}`, stop: () => cluster.stop() }
}

async function startEmbedded(): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-bench-embedded-'))
  return {
    name: 'embedded',
    url: `embedded:${folder}`,
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

async function startZooKeeperAlone(): Promise<RunningServer> {
  const servers = await startZooKeeper(1)
  return { name: 'zookeeper', url: `zookeeper://127.0.0.1:${servers.ports[0]}`, stop: () => servers.stop() }
}

/** With an append-only file, synced before each answer: what the others do too. */
async function startRedis(): Promise<RunningServer> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-bench-redis-'))
  const port = await freePort()
  const flags = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const child = spawn('redis-server', [...flags, '--appendonly', 'yes', '--appendfsync', 'always'], { stdio: 'ignore' })
  const killed = (): void => {
    child.kill('SIGKILL')
  }
  process.once('exit', killed)
  const ended = once(child, 'exit')
  await listening(port, ended)
  return {
    name: 'redis',
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      process.off('exit', killed)
      killed()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function listening(port: number, ended: Promise<unknown>): Promise<void> {
  const deadline = Date.now() + 10_000
  const over = ended.then(() => {
    throw new Error('redis-server ended before it served')
  })
  over.catch(() => {})
  while (Date.now() < deadline) {
    if (await Promise.race([answers(port), over])) return
    await delay(20)
  }
  throw new Error('redis-server does not serve after 10 s')
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
