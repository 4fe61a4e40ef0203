// What the plane promises, on a real Redis that loses nothing.
import { planeContract } from '../../src/client/contract/plane/index.ts'
import { planeSubject, skipWithoutRedis, startRedis } from './engines.ts'

planeContract('redis://, one real server', {
  engine: 'redis',
  skip: skipWithoutRedis(),
  open: () => planeSubject(startRedis()),
})
