/** Asks a running member what a node needs to know to join. */
import { asBuffer, concatBytes, emptyBytes } from '../../base/index.ts'
import type { Address, Runtime } from '../../runtime/index.ts'
import { decodeRefusal } from './frames.ts'
import { encodeJoinQuestion, joinAnswerBytesMax, readJoinAnswer } from './join-frames.ts'

/** The body of the answer, or why there is none. */
export type JoinAnswer =
  | { readonly ok: true; readonly body: Uint8Array }
  | { readonly ok: false; readonly reason: string }

/** One try; resolves within `timeoutMs`, and never rejects. */
export function askToJoin(runtime: Runtime, address: Address, timeoutMs: number): Promise<JoinAnswer> {
  return new Promise((resolve) => {
    const connection = runtime.network.connect(address, { timeoutMs })
    let received: Uint8Array = emptyBytes
    const end = (answer: JoinAnswer): void => {
      timer.cancel()
      connection.destroy()
      resolve(answer)
    }
    const fail = (reason: string): void => end({ ok: false, reason })
    const timer = runtime.scheduler.setTimer(timeoutMs, () => fail('it does not answer'))
    connection.setHandler({
      onOpen: () => connection.write(encodeJoinQuestion()),
      onData: (bytes) => {
        received = concatBytes([received, bytes])
        if (received.length > 2 * joinAnswerBytesMax) return fail('it says too much')
        const answer = readJoinAnswer(received)
        if (answer === 'more') return
        if ('body' in answer) end({ ok: true, body: answer.body })
      },
      onEnd: () => fail(wordsOf(received)),
      onClose: (reason) => fail(received.length > 0 ? wordsOf(received) : `the connection ended: ${reason}`),
    })
  })
}

/** What came instead of an answer: a refusal's words, or what is wrong with it. */
function wordsOf(received: Uint8Array): string {
  const answer = readJoinAnswer(received)
  if (answer === 'more') return 'its answer ends in the middle'
  return 'problem' in answer ? decodeRefusal(asBuffer(received.subarray(0, 512)).toString('utf8')).message : ''
}
