/** `Max-Forwards` (RFC 9110 §7.6.2): how many more proxies an OPTIONS may pass. TRACE, the other one that heeds it, is refused. */
import type { RequestHead } from '../http/index.ts'
import { type Answer, allowedMethods, answerWith } from './answers.ts'

export const maxForwardsField = 'max-forwards'

/** Undefined: the client sets no bound, or none that can be read. */
export function forwardsLeft(head: RequestHead): number | undefined {
  const text = head.method === 'OPTIONS' ? head.get(maxForwardsField) : undefined
  return text === undefined || !/^\d{1,9}$/.test(text) ? undefined : Number(text)
}

/** For whoever asked just this proxy. */
export function answerAsLastRecipient(date: string): Answer {
  return answerWith(204, ['allow', allowedMethods, 'date', date])
}
