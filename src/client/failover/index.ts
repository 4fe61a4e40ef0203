export {
  createFailoverPair,
  createFailoverView,
  type FailoverPair,
  type FailoverPairOptions,
  type FailoverView,
} from './failover-pair.ts'
export type { Primary } from './primary.ts'
