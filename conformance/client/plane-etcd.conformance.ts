// What the plane promises, on three real etcd servers.
import { planeContract } from '../../src/client/contract/plane/index.ts'
import { planeSubject, skipWithoutEtcd, startServers } from './engines.ts'

planeContract('etcd://, three real servers', {
  engine: 'etcd',
  skip: skipWithoutEtcd(),
  open: () => planeSubject(startServers('etcd36')),
})
