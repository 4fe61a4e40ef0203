export { WatchHub, type WatchHubContext } from './hub.ts'
export { WatchStream } from './stream.ts'
export {
  type CreateOutcome,
  defaultWatchHubOptions,
  type WatchDelivery,
  type WatchEvent,
  type WatchHubOptions,
  type WatchHubStats,
  type WatchId,
  type WatchRequest,
  type WatchSink,
} from './types.ts'
