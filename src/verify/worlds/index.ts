export { runWorld } from './run-world.ts'
export { scenarios } from './scenarios/catalogue.ts'
export type { WorldOptions, WorldReport } from './world-options.ts'
