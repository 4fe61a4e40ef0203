/** Real servers for the examples to run on, started on loopback and gone after `stop()`. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startZooKeeper } from '../conformance/client/zookeeper-server.ts'
import { startCluster } from '../conformance/cluster.ts'

/** A server, or several, that a connection string leads to. */
export interface RunningEngine {
  readonly connection: string
  stop(): Promise<void>
}

export const engineNames = ['synod', 'etcd', 'zookeeper', 'redis'] as const
export type EngineName = (typeof engineNames)[number]

/** Starts it and waits until it serves. Synod runs three nodes, the others one. */
export async function startEngine(name: EngineName): Promise<RunningEngine> {
  switch (name) {
    case 'synod':
    case 'etcd': {
      const cluster = await startCluster(name === 'synod' ? { kind: 'synod' } : { kind: 'etcd36', nodes: 1 })
      return { connection: `${name}://${cluster.endpoints}`, stop: () => cluster.stop() }
    }
    case 'zookeeper': {
      const servers = await startZooKeeper(1)
      return { connection: `zookeeper://127.0.0.1:${servers.ports[0]}`, stop: () => servers.stop() }
    }
    case 'redis':
      return startRedis()
  }
}

async function startRedis(): Promise<RunningEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-redis-'))
  const port = await freePort()
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  const server = spawn('redis-server', options, { stdio: ['ignore', 'ignore', 'inherit'] })
  const ended = once(server, 'exit')
  const stop = async (): Promise<void> => {
    server.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  for (const deadlineMs = Date.now() + 20_000; ; ) {
    if (await accepts(port)) return { connection: `redis://127.0.0.1:${port}`, stop }
    if (server.exitCode !== null || Date.now() > deadlineMs) {
      await stop()
      throw new Error('redis-server does not serve')
    }
    await delay(20)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
