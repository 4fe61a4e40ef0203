import type { CallOptions, ClientRuntime } from '../driver/index.ts'
import { Bell } from '../watching/index.ts'

/** Waits for `work` as long as `options` allow. What others wait for too goes on when one of them leaves. */
export async function within<T>(outside: ClientRuntime, work: Promise<T>, options: CallOptions): Promise<T> {
  const bell = new Bell()
  work.then(
    () => bell.ring(),
    () => bell.ring(),
  )
  await bell.heard(outside, options)
  return work
}
