// What the plane promises, on three real ZooKeeper servers.
import { planeContract } from '../../src/client/contract/plane/index.ts'
import { planeSubject, skipWithoutZooKeeper, startZooKeepers } from './engines.ts'

planeContract('zookeeper://, three real servers', {
  engine: 'zookeeper',
  skip: skipWithoutZooKeeper(),
  open: () => planeSubject(startZooKeepers(3)),
})
