/** Why a call to a node gave no answer, and what that says of the operation's fate. */

/**
 * - `not-sent`: no connection stood, so nothing was sent. Certainly not carried out.
 * - `refused`: the node answered with a gRPC status.
 * - `broken`: the connection broke while the call was open.
 * - `deadline`: no answer within the caller's time.
 */
export type RpcFailureCode = 'not-sent' | 'refused' | 'broken' | 'deadline'

/** A call failed. What it says of the operation's fate is told by {@link outcomeOf}. */
export class RpcFailure extends Error {
  override readonly name = 'RpcFailure'
  readonly code: RpcFailureCode
  /** The gRPC status, when `code` is `refused`; else -1. */
  readonly status: number

  constructor(code: RpcFailureCode, message: string, status = -1) {
    super(message)
    this.code = code
    this.status = status
  }
}

const status = { invalidArgument: 3, notFound: 5, resourceExhausted: 8, failedPrecondition: 9, outOfRange: 11 } as const
const unimplemented = 12

/**
 * Refusals by which a node says that it did not carry a request out. Statuses alone do not decide: RESOURCE_EXHAUSTED is
 * also said of an answer that grew too long, after the deed. UNAVAILABLE is never certain: its texts are etcd's, which
 * say the same of a proposal that nobody took and of one whose fate is open.
 */
const certainTexts: readonly { readonly status: number; readonly text: RegExp }[] = [
  { status: status.invalidArgument, text: /^etcdserver: / },
  { status: status.notFound, text: /^etcdserver: (requested lease|member) not found$/ },
  { status: status.resourceExhausted, text: /^etcdserver: (too many requests|mvcc: database space exceeded)$/ },
  { status: status.failedPrecondition, text: /^etcdserver: / },
  { status: status.outOfRange, text: /^etcdserver: / },
  { status: unimplemented, text: /./ },
]

/** What a failed call says of its operation: `failed` when it was certainly not carried out, now or later. */
export function outcomeOf(error: unknown): 'failed' | 'unknown' {
  if (!(error instanceof RpcFailure)) return 'unknown'
  if (error.code === 'not-sent') return 'failed'
  if (error.code !== 'refused') return 'unknown'
  const certain = certainTexts.some((each) => each.status === error.status && each.text.test(error.message))
  return certain ? 'failed' : 'unknown'
}
