import type { Scenario } from './scenario.ts'
import { swarm } from './swarm.ts'

/** All scenarios, the default first. */
export const scenarios: readonly Scenario[] = [swarm]
