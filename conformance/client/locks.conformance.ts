// What all kinds of locks owe, on the real engines.
import { after, before } from 'node:test'
import type { PlaneContext } from '../../src/client/context.ts'
import type { Driver } from '../../src/client/driver/index.ts'
import { openEtcdDriver } from '../../src/client/drivers/etcd/index.ts'
import { openZooKeeperDriver } from '../../src/client/drivers/zookeeper/index.ts'
import { type LockSubject, lockContract } from '../../src/client/locks/testing/lock-contract.ts'
import { createSessions } from '../../src/client/sessions/index.ts'
import { hostTracing } from '../../src/client/tracing.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { type Cluster, skipWithoutServer, startCluster } from '../cluster.ts'
import { skipWithout } from '../peers.ts'
import { startZooKeeper, type ZooKeeperServers } from './zookeeper-server.ts'

const runtime = createNodeRuntime({ logLevel: 'warn' })

async function subject(open: () => Promise<Driver>): Promise<LockSubject> {
  const planes: PlaneContext[] = []
  const another = async (): Promise<PlaneContext> => {
    const driver = await open()
    const sessions = createSessions(driver, { ttlMs: 5_000 })
    const context = { driver, sessions, tracing: hostTracing(driver.engine), namespace: '' }
    planes.push(context)
    return context
  }
  return {
    context: await another(),
    another,
    async close() {
      for (const { sessions, driver } of planes) {
        await sessions.close()
        await driver.close()
      }
    },
  }
}

for (const kind of ['synod', 'etcd36'] as const) {
  const skip = skipWithoutServer(kind)
  let cluster: Cluster | undefined
  if (skip === false) {
    before(async () => {
      cluster = await startCluster({ kind, nodes: 3 })
    })
    after(() => cluster?.stop())
  }
  lockContract(`three members of ${kind}`, {
    skip,
    open: () =>
      subject(() => {
        const endpoints = cluster!.members.map((member) => ({ host: '127.0.0.1', port: member.clientPort }))
        return openEtcdDriver({ engine: kind === 'synod' ? 'synod' : 'etcd', endpoints }, runtime)
      }),
  })
}

const skip = skipWithout('zookeeper')
let servers: ZooKeeperServers | undefined
if (skip === false) {
  before(async () => {
    servers = await startZooKeeper()
  })
  after(() => servers?.stop())
}
lockContract('ZooKeeper', {
  skip,
  open: () =>
    subject(() => openZooKeeperDriver({ servers: [{ host: '127.0.0.1', port: servers!.ports[0]! }] }, runtime)),
})
