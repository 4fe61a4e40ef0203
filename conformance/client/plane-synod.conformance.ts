// What the plane promises, on three Synod servers.
import { planeContract } from '../../src/client/contract/plane/index.ts'
import { planeSubject, startServers } from './engines.ts'

planeContract('synod://, three servers', { engine: 'synod', open: () => planeSubject(startServers('synod')) })
