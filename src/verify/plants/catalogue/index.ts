import type { Plant } from '../plant.ts'
import { enginePlants } from './engine.ts'
import { logPlants } from './log.ts'
import { raftPlants } from './raft.ts'

/** Every planted bug. */
export const allPlants: readonly Plant[] = [...raftPlants, ...logPlants, ...enginePlants]
