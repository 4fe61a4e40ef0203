import { equalBytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { CallOptions, Key } from '../driver/index.ts'
import { assertInTime, type CallLimits, callOptions } from '../limits.ts'
import { updateOnce } from '../once/index.ts'
import { Backoff, pause } from '../watching/index.ts'

const timeoutMsDefault = 10_000

/**
 * Puts what `change` makes of the key's value in its place, if it still is the one that `change` has seen, else once more.
 * What is written is written once (`once/`). Resolves to the value that is there then.
 */
export async function updateValue(
  context: PlaneContext,
  key: Key,
  change: (current: Uint8Array | undefined) => Promise<Uint8Array | undefined>,
  limits?: CallLimits,
): Promise<Uint8Array | undefined> {
  const { outside } = context.driver
  const { signal, deadlineMs = outside.clock.monotonicMs() + timeoutMsDefault } = callOptions(context, limits)
  const options: CallOptions = { signal, deadlineMs }
  const backoff = new Backoff(outside, { firstMs: 2, longestMs: 200 })
  for (;;) {
    const { entry } = await context.driver.get(key, options)
    const seen = entry?.value
    const next = await change(seen)
    assertInTime(outside, options)
    if (next === undefined) return seen
    const timeoutMs = Math.max(1, deadlineMs - outside.clock.monotonicMs())
    const isWritten = await updateOnce(
      context,
      undefined,
      key,
      (current) => (isSame(current, seen) ? { value: next, result: true } : { result: false }),
      { signal, timeoutMs },
    )
    if (isWritten) return next
    await pause(outside, backoff.next(), options)
  }
}

/** The value, not its version: whoever has seen the same value would write the same. */
function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(a, b)
}
