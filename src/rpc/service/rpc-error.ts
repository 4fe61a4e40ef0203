/** What RPC throws, at both ends: one class, told apart by `code`. */
import type { Outcome } from '../../client/index.ts'
import { type RpcCode, refusalCodes, retryableCodes } from './codes.ts'
import type { ErrorDetail } from './error-details.ts'
import type { Metadata } from './metadata.ts'

/** What may be said of a failure besides its code and message. */
export interface RpcErrorInit {
  /** Default: `not-applied` for codes of refusal and where the call never began, otherwise `unknown`. */
  readonly outcome?: Outcome | undefined
  /** Default: by the code. */
  readonly retryable?: boolean | undefined
  /** A server's trailers; at a server, what goes into them. */
  readonly metadata?: Metadata | undefined
  /** What programs can read about the failure; travels as `google.rpc.Status`. */
  readonly details?: readonly ErrorDetail[] | undefined
  /** Default false. */
  readonly isReceived?: boolean | undefined
  readonly cause?: unknown
}

const noErrorMetadata: Metadata = new Map()

/**
 * The one error of RPC. Thrown by a handler, it becomes the call's status at the client; anything else that a handler
 * throws becomes `UNKNOWN` without its message.
 */
export class RpcError extends Error {
  override readonly name = 'RpcError'
  readonly code: RpcCode
  /** Whether the same call may succeed when it is made again. Look at `outcome` first: it may also be done twice. */
  readonly retryable: boolean
  /** `not-applied`: certainly nothing was done. `unknown`: it may have been, or may yet be. */
  readonly outcome: Outcome
  readonly metadata: Metadata
  readonly details: readonly ErrorDetail[]
  /**
   * A call that this program made failed so. Thrown on by a handler it keeps its code, and says nothing about what the
   * handler itself did: that is `unknown`, and metadata and details stay here.
   */
  readonly isReceived: boolean

  /** `message` says what happened, why, and what to do. It travels to the client. */
  constructor(code: RpcCode, message: string, init: RpcErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.outcome = init.outcome ?? (refusalCodes.has(code) ? 'not-applied' : 'unknown')
    this.retryable = init.retryable ?? retryableCodes.has(code)
    this.metadata = init.metadata ?? noErrorMetadata
    this.details = init.details ?? []
    this.isReceived = init.isReceived ?? false
  }
}

/** `error` itself, or what it means to a caller when it is none of RPC's. */
export function rpcErrorOf(error: unknown): RpcError {
  if (error instanceof RpcError) return error
  return new RpcError('UNKNOWN', error instanceof Error ? error.message : String(error), { cause: error })
}
