// The engines that programs connect to, as real as they come, each with the string that connects. Each owns its
// processes and files; all are gone after `stop()`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PlaneSubject } from '../../src/client/contract/plane/index.ts'
import { connect, type PlaneEngine } from '../../src/client/index.ts'
import { type Cluster, type ServerKind, skipWithoutServer, startCluster } from '../cluster.ts'
import { skipWithout } from '../peers.ts'
import { RedisServer } from './redis-server.ts'
import { startZooKeeper } from './zookeeper-server.ts'

/** An engine that runs. */
export interface RunningEngine {
  readonly engine: PlaneEngine
  readonly url: string
  readonly inLine?: PlaneSubject['inLine']
  stop(): Promise<void>
}

/** In a directory of this machine, with as many nodes. */
export async function startEmbedded(nodes = 1): Promise<RunningEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-embedded-'))
  return {
    engine: 'embedded',
    url: `embedded:${folder}${nodes === 1 ? '' : `?nodes=${nodes}`}`,
    stop: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

export function urlOf(cluster: Pick<Cluster, 'kind' | 'members'>): string {
  const scheme = cluster.kind === 'synod' ? 'synod' : 'etcd'
  return `${scheme}://${cluster.members.map((member) => member.endpoint).join(',')}`
}

/** A cluster of Synod or etcd. See {@link skipWithoutServer}. */
export async function startServers(kind: ServerKind, nodes = 3): Promise<RunningEngine> {
  const cluster = await startCluster({ kind, nodes })
  return { engine: kind === 'synod' ? 'synod' : 'etcd', url: urlOf(cluster), stop: () => cluster.stop() }
}

export const skipWithoutEtcd = () => skipWithoutServer('etcd36')
export const skipWithoutZooKeeper = () => skipWithout('zookeeper')

/** Programs connect to followers: at the leader a read may miss, for a moment, what another was told (docs/engines.md). */
export async function startZooKeepers(count: 1 | 3 = 1): Promise<RunningEngine> {
  const servers = await startZooKeeper(count)
  const hosts = (await servers.followerPorts()).map((port) => `127.0.0.1:${port}`).join(',')
  return { engine: 'zookeeper', url: `zookeeper://${hosts}/plane`, stop: () => servers.stop() }
}

export const skipWithoutRedis = () => skipWithout('redis')

/** One server that loses nothing. */
export async function startRedis(): Promise<RunningEngine> {
  const server = await RedisServer.start()
  const outsider = server.outsider()
  return {
    engine: 'redis',
    url: `redis://127.0.0.1:${server.port}`,
    inLine: (lock) => outsider.zcard(`synod/locks/${lock.replaceAll('/', '%2F')}/queue`),
    stop: async () => {
      outsider.disconnect()
      await server.stop()
    },
  }
}

/** As the contract of the plane takes it. */
export async function planeSubject(starting: Promise<RunningEngine>): Promise<PlaneSubject> {
  const { engine, url, inLine, stop } = await starting
  const another = () => connect(url, { engine })
  try {
    return { plane: await another(), another: engine === 'embedded' ? undefined : another, inLine, close: stop }
  } catch (error) {
    await stop()
    throw error
  }
}
