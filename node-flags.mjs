// How Synod's own Node processes are started; used by the launcher, the bench and the conformance suite.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

/**
 * - disable-warning: node:sqlite, which holds the lock of a data directory, still announces itself as experimental.
 * - max-semi-space-size (MiB): V8's default of 16 lets the young generation grow to 48 MiB a process; 4 measured a
 *   quarter less memory under load at the same speed.
 * - enable-experimental-regexp-engine-on-excessive-backtracks: a route's regular expression meets paths that clients
 *   choose; past 50,000 steps back V8 goes on with an engine that takes linear time, instead of for ever.
 */
export const nodeFlags = [
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=4',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
]

/**
 * For the command line `args`, more flags than `nodeFlags`:
 * - single-threaded-gc, for the proxy: its garbage is short-lived and its heap small, and whoever gives it one core a
 *   worker has none for V8's own threads. Those took half of the core with bodies of 16 KiB.
 * - heap-growing-percent, for the proxy: bodies count for the heap's limit. With V8's own growth a heap of 20 MB that was
 *   collected once is collected again and again, for what the next collection of the young would have freed.
 */
export function flagsFor(args) {
  return args[0] === 'proxy' && args[1] === 'run'
    ? [...nodeFlags, '--single-threaded-gc', '--heap-growing-percent=300']
    : nodeFlags
}

/**
 * The environment for a process of the clone in `root`: with a compile cache Node need not strip types again, which
 * would keep 85 MB of its compiler in memory. The published package needs none.
 */
export function nodeEnvironment(root, environment) {
  const modules = join(root, 'node_modules')
  if (environment.NODE_COMPILE_CACHE !== undefined || !existsSync(modules)) return environment
  return { ...environment, NODE_COMPILE_CACHE: join(modules, '.cache', 'synod-compile') }
}
