/** What the end of an attempt means: for its endpoint, for whether to try again, and for the caller. */
import type { AttemptResult } from '../../traffic/upstream/index.ts'
import { decodeErrorDetails, detailsName, noMetadata, outcomeOf, type RpcCode, RpcError } from '../service/index.ts'
import type { CallEnd } from '../transport/index.ts'

/** Codes with which a server says that it is not well; HTTP's 5xx. */
const unwellCodes: ReadonlySet<RpcCode> = new Set([
  'UNAVAILABLE',
  'INTERNAL',
  'UNKNOWN',
  'DATA_LOSS',
  'DEADLINE_EXCEEDED',
])

/** What the attempt says about its endpoint. */
export function resultOf(end: CallEnd): AttemptResult {
  if (end.code === undefined) return 'success'
  switch (end.origin) {
    case 'connect':
      return 'connect-failure'
    case 'server':
      return end.isBrokenOff === true || unwellCodes.has(end.code) ? 'failure' : 'success'
    case 'connection':
      // A server that goes away in good order refuses what it did not begin.
      return end.isUnprocessed ? 'cancelled' : 'failure'
    case 'local':
      return end.isUnprocessed ? 'cancelled' : 'failure'
  }
}

/** Whether the attempt certainly did nothing, so that the call may be made again whatever it is. */
export function didNothing(end: CallEnd): boolean {
  if (end.isUnprocessed) return end.code === 'UNAVAILABLE'
  if (end.origin !== 'server' || end.code === undefined) return false
  const mayPass = end.code === 'UNAVAILABLE' || end.code === 'RESOURCE_EXHAUSTED'
  return mayPass && outcomeOf(end.code, end.trailers) === 'not-applied'
}

/** The error of a call that ended so. `mayBeApplied`: an earlier attempt may have done something. */
export function errorOfEnd(end: CallEnd & { readonly code: RpcCode }, mayBeApplied: boolean): RpcError {
  const told = end.origin === 'server' ? outcomeOf(end.code, end.trailers) : 'unknown'
  const details = end.trailers.get(detailsName)
  return new RpcError(end.code, end.message, {
    outcome: mayBeApplied ? 'unknown' : end.isUnprocessed ? 'not-applied' : told,
    metadata: end.trailers,
    details: details instanceof Uint8Array ? decodeErrorDetails(details) : [],
    isReceived: true,
  })
}

/** An error that this side found out before or instead of an answer. */
export function localError(code: RpcCode, message: string, isApplied: boolean, cause?: unknown): RpcError {
  return new RpcError(code, message, {
    outcome: isApplied ? 'unknown' : 'not-applied',
    metadata: noMetadata,
    isReceived: true,
    cause,
  })
}
