// The driver contract on a real ZooKeeper server, and on three.
import { after, before } from 'node:test'
import { driverContract } from '../../src/client/contract/index.ts'
import { openZooKeeperDriver } from '../../src/client/drivers/zookeeper/index.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { skipWithout } from '../peers.ts'
import { Relay } from './zookeeper-relay.ts'
import { startZooKeeper, type ZooKeeperServers } from './zookeeper-server.ts'

const skip = skipWithout('zookeeper')
const runtime = createNodeRuntime({ logLevel: 'warn' })
let servers: ZooKeeperServers | undefined
let ensemble: ZooKeeperServers | undefined

if (skip === false) {
  before(async () => {
    ;[servers, ensemble] = await Promise.all([startZooKeeper(), startZooKeeper(3)])
  })
  after(() => Promise.all([servers?.stop(), ensemble?.stop()]))
  driverContract('zookeeper://, one real server', {
    async open() {
      const relay = await Relay.to(servers!.ports[0]!)
      const open = () =>
        openZooKeeperDriver({ servers: [{ host: '127.0.0.1', port: relay.port }], sessionTimeoutMs: 3_000 }, runtime)
      const driver = await open()
      return {
        driver,
        another: open,
        async cut() {
          relay.cut()
          return async () => relay.mend()
        },
        async close() {
          await driver.close()
          relay.close()
        },
      }
    },
  })
  driverContract('zookeeper://, three real servers', {
    async open() {
      // At the leader a read may miss, for a moment, what another client was told (docs/engines.md).
      const addresses = (await ensemble!.followerPorts()).map((port) => ({ host: '127.0.0.1', port }))
      const open = () => openZooKeeperDriver({ servers: addresses }, runtime)
      const driver = await open()
      return { driver, another: open, close: () => driver.close() }
    },
  })
} else {
  const { describe } = await import('node:test')
  describe('zookeeper://: the Driver contract', { skip }, () => {})
}
