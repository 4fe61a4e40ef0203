/**
 * Whether a call that failed did anything, told beside the status where the status alone says otherwise: the trailer
 * `synod-outcome`, `not-applied` or `unknown`. Clients that do not know it lose nothing.
 */
import type { Outcome } from '../../client/index.ts'
import { type RpcCode, refusalCodes } from './codes.ts'
import type { Metadata, MetadataValue } from './metadata.ts'

const outcomeName = 'synod-outcome'

/** Adds the trailer where it is needed. */
export function addOutcome(trailers: Map<string, MetadataValue>, code: RpcCode, outcome: Outcome): void {
  if (outcome !== outcomeOfCode(code)) trailers.set(outcomeName, outcome)
}

/** What a server's status and trailers say. */
export function outcomeOf(code: RpcCode, trailers: Metadata): Outcome {
  const told = trailers.get(outcomeName)
  return told === 'not-applied' || told === 'unknown' ? told : outcomeOfCode(code)
}

function outcomeOfCode(code: RpcCode): Outcome {
  return refusalCodes.has(code) ? 'not-applied' : 'unknown'
}
