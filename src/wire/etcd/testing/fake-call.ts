import type { UnaryCall } from '../../grpc/index.ts'

/** What a service did with a call. */
export interface CallAnswer {
  message: string | undefined
  failure: { status: number; message: string } | undefined
  /** How many answers came; one is right. */
  answers: number
}

/** A unary call without a connection: notes its answer. */
export function fakeCall(
  message: Uint8Array,
  metadata: Readonly<Record<string, string>> = {},
): { call: UnaryCall; answer: CallAnswer } {
  const answer: CallAnswer = { message: undefined, failure: undefined, answers: 0 }
  const call = {
    message,
    cancelled: false,
    metadata: (name: string) => metadata[name],
    onCancel() {},
    prepare: () => true,
    reply(...chunks: Uint8Array[]) {
      answer.message = Buffer.concat(chunks).toString('hex')
      answer.answers++
    },
    fail(status: number, text: string) {
      answer.failure = { status, message: text }
      answer.answers++
    },
  }
  return { call: call as unknown as UnaryCall, answer }
}
