import { changeScenarios } from './change-scenarios.ts'
import { clientScenarios } from './client-scenarios.ts'
import { diskScenarios } from './disk-scenarios.ts'
import { electionScenarios } from './election-scenarios.ts'
import { leaseScenarios } from './lease-scenarios.ts'
import { membershipScenarios } from './membership-scenarios.ts'
import { networkScenarios } from './network-scenarios.ts'
import { outsideScenarios } from './outside-scenarios.ts'
import { processScenarios } from './process-scenarios.ts'
import { programScenarios } from './program-scenarios.ts'
import type { Scenario } from './scenario.ts'
import { successionScenarios } from './succession-scenarios.ts'
import { swarm } from './swarm.ts'

/** All scenarios, the default first. */
export const scenarios: readonly Scenario[] = [
  swarm,
  ...networkScenarios,
  ...processScenarios,
  ...electionScenarios,
  ...successionScenarios,
  ...diskScenarios,
  ...clientScenarios,
  ...membershipScenarios,
  ...changeScenarios,
  ...leaseScenarios,
  ...programScenarios,
  ...outsideScenarios,
]
