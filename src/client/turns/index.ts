export { freshId } from './fresh-id.ts'
export {
  absent,
  endingWith,
  isLeaseGone,
  isStill,
  LeasedKey,
  type LeasedKeyPlace,
  lastingAsLongAs,
  type MakeMore,
  type MakeResult,
} from './leased-key.ts'
export { awaitTurn, firstOf, isBefore, type Place, standingAhead } from './line.ts'
export { type Attempt, type PersistOptions, persist } from './persist.ts'
