/** One question to the cluster, from when a program asks until it is told. */
import type { AnswerHead } from '../../../wire/etcd-client/index.ts'
import type { GrpcFailureReply } from '../../../wire/grpc-client/index.ts'
import type { Endpoint } from './endpoint.ts'
import type { Verdict } from './refusals.ts'

/**
 * `stale`: a read that any node answers from what it has. `read`: one that sees every acknowledged write. `write`: sent
 * again only when it certainly was not carried out. `repeatable`: a write that is the same when it is carried out twice.
 */
export type CallKind = 'stale' | 'read' | 'write' | 'repeatable'

export function isRead(kind: CallKind): boolean {
  return kind === 'read' || kind === 'stale'
}

/** What is asked. */
export interface Question<Answer extends AnswerHead> {
  /** For error messages. */
  readonly name: string
  readonly path: string
  readonly kind: CallKind
  readonly request: Uint8Array
  /** Undefined: the bytes are no answer to this. */
  readonly decode: (bytes: Uint8Array) => Answer | undefined
}

/** One node that was asked and has not answered. */
export interface Attempt {
  readonly endpoint: Endpoint
  readonly token: string | undefined
  readonly startedMs: number
  cancel: () => void
}

export interface Answered<Answer> {
  readonly answer: Answer
  /** When the request that was answered left, on the monotonic clock. */
  readonly sentAtMs: number
  /** When the first attempt was made. */
  readonly firstAttemptMs: number
}

export interface LastFailure {
  readonly endpoint: Endpoint
  readonly reply: Pick<GrpcFailureReply, 'status' | 'message' | 'origin'>
  readonly verdict: Verdict
}

export interface Call<Answer extends AnswerHead = AnswerHead> {
  readonly question: Question<Answer>
  readonly resolve: (answered: Answered<Answer>) => void
  readonly reject: (error: Error) => void
  readonly startedMs: number
  readonly deadlineMs: number
  /** When something must be done about it: never after the deadline. */
  dueMs: number
  /** Those asked who have not answered: more than one only for reads. */
  attempts: Attempt[]
  /** Who was asked in this round, as bits by index. */
  asked: number
  /** Attempts made. */
  tried: number
  firstAttemptMs: number
  /** An attempt that is over may have been carried out. */
  uncertain: boolean
  lastFailure: LastFailure | undefined
  tokensRenewed: number
  /** For a node that can be asked; otherwise it is being asked, or rests. */
  waiting: boolean
  done: boolean
  /** Stops listening to the caller's signal. */
  release: (() => void) | undefined
}
