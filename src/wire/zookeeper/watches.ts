/** The records of watches. */
import { type Carried, int, long, nothing, record, ustring, vector } from './jute.ts'

const paths = vector(ustring)

/** `mode` is one of `watchModes`. The node need not be there. The answer repeats the error of its header, 0. */
export const addWatchRequest = record({ path: ustring, mode: int })
export const addWatchResponse = record({ err: int })

/** `type` is one of `watcherTypes`. */
export const removeWatchesRequest = record({ path: ustring, type: int })
export const removeWatchesResponse = nothing

/** Sets one-shot watches again on a new connection; what changed after `relativeZxid` is told at once. */
export const setWatchesRequest = record({
  relativeZxid: long,
  dataWatches: paths,
  existWatches: paths,
  childWatches: paths,
})

/** The same with the watches of addWatch. */
export const setWatches2Request = record({
  relativeZxid: long,
  dataWatches: paths,
  existWatches: paths,
  childWatches: paths,
  persistentWatches: paths,
  persistentRecursiveWatches: paths,
})
export const setWatchesResponse = nothing

/** Comes under the xid -1. `type` is one of `eventTypes`; `state` 3 is connected. */
export const watchEvent = record({ type: int, state: int, path: ustring })
export type WatchEvent = Carried<typeof watchEvent>
