/** How a call that failed is told: its code, what is certain of its fate, and what to do. */
import { type Outcome, SynodError } from '../../errors.ts'
import { type Call, isRead } from './call.ts'
import type { Endpoint } from './endpoint.ts'
import { fateOf, refusalError } from './refusals.ts'

/** What is certain of it at this moment: to be asked before its attempts are ended. */
function outcomeOf(call: Call): Outcome {
  if (isRead(call.question.kind)) return 'not-applied'
  return call.uncertain || call.attempts.length > 0 ? 'unknown' : 'not-applied'
}

/** What the last node said is the end of it. */
export function lastError(call: Call): SynodError {
  const { endpoint, reply, verdict } = call.lastFailure!
  return refusalError(call.question.name, endpoint.name, reply, verdict, outcomeOf(call))
}

/** `problems` says why nodes could not be asked. */
export function timeoutError(call: Call, problems: string): SynodError {
  const outcome = outcomeOf(call)
  const afterMs = Math.round(call.deadlineMs - call.startedMs)
  const { name } = call.question
  if (afterMs <= 0) {
    const message = `${name} was not sent: its deadline had passed before the call. Allow it more time.`
    return new SynodError('TIMEOUT', message, { outcome })
  }
  if (call.tried === 0) {
    const message = `${name} could not be sent within ${afterMs} ms (${problems}). Check the addresses and the cluster.`
    return new SynodError('UNAVAILABLE', message, { outcome })
  }
  const asked = call.attempts.map(({ endpoint }) => endpoint.name).join(', ')
  const last = call.lastFailure
  const before = last === undefined ? '' : `; before that, ${last.endpoint.name}: ${last.reply.message}`
  const message = `${name} was not answered within ${afterMs} ms${asked === '' ? '' : ` by ${asked}`}${before}.`
  return new SynodError('TIMEOUT', `${message}${fateOf(outcome)} Try again, or allow it more time.`, { outcome })
}

export function cancelledError(call: Call, signal: AbortSignal): SynodError {
  const outcome = outcomeOf(call)
  const message = `${call.question.name} was cancelled by its signal.${fateOf(outcome)}`
  return new SynodError('CANCELLED', message, { outcome, cause: signal.reason })
}

export function closedError(call: Call): SynodError {
  const outcome = outcomeOf(call)
  const message = `${call.question.name} failed: the client is closed.${fateOf(outcome)} Connect again.`
  return new SynodError('CLOSED', message, { outcome })
}

/** A node answered with bytes that are no answer to it. */
export function senselessError(call: Call, endpoint: Endpoint): SynodError {
  const outcome = outcomeOf(call)
  const message = `${call.question.name} failed: ${endpoint.name} answered with something that is no answer to it.`
  const advice = 'Check that the address is that of an etcd or Synod client port.'
  return new SynodError('PROTOCOL_ERROR', `${message}${fateOf(outcome)} ${advice}`, { outcome })
}
