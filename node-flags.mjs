// How Synod's own Node processes are started; used by the launcher, the bench and the conformance suite.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * - disable-warning: node:sqlite, which holds the lock of a data directory, still announces itself as experimental.
 * - max-semi-space-size (MiB): V8's default of 16 lets the young generation grow to 48 MiB a process; 4 measured a
 *   quarter less memory under load at the same speed.
 */
export const nodeFlags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4']

/**
 * The environment for a process of the clone in `root`: with a compile cache Node need not strip types again, which
 * would keep 85 MB of its compiler in memory. The published package needs none.
 */
export function nodeEnvironment(root, environment) {
  const modules = join(root, 'node_modules')
  if (environment.NODE_COMPILE_CACHE !== undefined || !existsSync(modules)) return environment
  return { ...environment, NODE_COMPILE_CACHE: join(modules, '.cache', 'synod-compile') }
}
