/** Calls with retries, hedges and deadlines, for whoever speaks a protocol of requests and answers. */
import type { Upstream } from '../upstream/index.ts'
import { Call, type CallRuntime } from './call.ts'
import type { AttemptFunction, CallOutcome, CallPolicy } from './policy.ts'

export { AttemptTimeoutError, type CallRuntime } from './call.ts'
export {
  type Attempt,
  type AttemptFunction,
  type AttemptOutcome,
  type CallOutcome,
  type CallPolicy,
  callPolicyDefault,
} from './policy.ts'

/**
 * Makes a call: picks endpoints, makes attempts by the policy, and counts them at the upstream. Never rejects. Unknown is
 * not failed: what is not idempotent is not sent again once an attempt may have been applied, and the outcome says so.
 * `signal` gives the call up.
 */
export function makeCall<T>(
  upstream: Upstream,
  outside: CallRuntime,
  policy: CallPolicy,
  attempt: AttemptFunction<T>,
  signal?: AbortSignal,
): Promise<CallOutcome<T>> {
  return new Promise((tell) => new Call({ upstream, outside, policy, attempt, tell }).start(signal))
}
