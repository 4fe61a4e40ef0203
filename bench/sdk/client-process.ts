// One side in a process of its own: opens it, carries out orders until the parent lets it go.
import { openEtcd3Side } from './etcd3-side.ts'
import { openGrpcJsSide } from './grpc-js-side.ts'
import { openRedisSide } from './redis-side.ts'
import type { ClientName, Order, Side } from './side.ts'
import { openSynodSide } from './synod-side.ts'
import { carryOut } from './workloads.ts'
import { openZooKeeperSide } from './zookeeper-side.ts'

const [client, url] = process.argv.slice(2) as [ClientName, string]
const endpoints = url.replace(/^\w+:\/\//, '').split(',')

function open(): Promise<Side> | Side {
  switch (client) {
    case 'synod':
      return openSynodSide(url)
    case 'etcd3':
      return openEtcd3Side(endpoints)
    case 'grpc-js':
      return openGrpcJsSide(endpoints)
    case 'redlock+ioredis':
      return openRedisSide(endpoints)
    case 'node-zookeeper-client':
      return openZooKeeperSide(endpoints)
  }
}

const side = await open()
process.on('message', (order: Order) => {
  carryOut(side, order).then(
    (measured) => process.send!({ measured }),
    (error: unknown) => process.send!({ failure: String(error) }),
  )
})
// The parent ends this process by leaving; nothing that is held outlives its server.
process.on('disconnect', () => process.exit(0))
process.send!({ ready: true })
