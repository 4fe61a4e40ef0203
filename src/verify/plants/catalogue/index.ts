import type { Plant } from '../plant.ts'
import { clientPlants } from './client.ts'
import { clientDataPlants } from './client-data.ts'
import { enginePlants } from './engine.ts'
import { logPlants } from './log.ts'
import { paxosPlants } from './paxos.ts'
import { raftPlants } from './raft.ts'
import { raftLeasePlants } from './raft-lease.ts'
import { raftMembershipPlants } from './raft-membership.ts'

/** Every planted bug. */
export const allPlants: readonly Plant[] = [
  ...raftPlants,
  ...raftMembershipPlants,
  ...raftLeasePlants,
  ...paxosPlants,
  ...logPlants,
  ...enginePlants,
  ...clientPlants,
  ...clientDataPlants,
]
