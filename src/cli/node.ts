/** synod node: one node in this process, until a signal. */
import { readFileSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { readNodeConfig } from '../node/config/index.ts'
import { DataDirectoryError, MemberRemovedError, startNode } from '../node/index.ts'
import { createNodeRuntime, recordDiskToFile } from '../runtime/node/index.ts'
import { CommandError } from './output.ts'
import { processMetrics } from './process-metrics.ts'

/** Names a file to which every disk operation is recorded, for the power-loss tests. */
const recordVariable = 'SYNOD_RECORD_DISK'
/** A second signal ends at once what the first one asked to end in order. */
const stopTimeoutMs = 10_000
/** The member was removed from its cluster: to start it again has no use. */
export const removedExitCode = 3

export async function node(args: readonly string[]): Promise<void> {
  const config = readNodeConfig({
    args,
    environment: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  const outside = createNodeRuntime({
    logLevel: config.logLevel,
    logFormat: config.logFormat === 'console' ? 'text' : 'json',
    logFields: { member: config.name },
  })
  const journal = process.env[recordVariable]
  const runtime = journal === undefined ? outside : { ...outside, disk: recordDiskToFile(outside.disk, journal) }
  const { logger } = runtime
  if (journal !== undefined) logger.warn('recording every disk operation; for tests only', { journal })
  const die = (error: unknown): void => {
    // What tells the operator what to do needs no trace; a bug needs one.
    const advice = error instanceof DataDirectoryError
    const reason = error instanceof Error ? ((advice ? undefined : error.stack) ?? error.message) : String(error)
    logger.error('the node cannot go on', { reason })
    process.exit(error instanceof MemberRemovedError ? removedExitCode : 1)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)
  let running: Awaited<ReturnType<typeof startNode>>
  // The node's own timers keep no process alive: one that waits for an answer, to join, must not end in silence.
  const starting = setInterval(() => {}, 60_000)
  try {
    running = await startNode(config, runtime, { onFailure: die, processId: process.pid, processMetrics })
  } catch (error) {
    throw error instanceof Error && error.name !== 'InvariantError' ? new CommandError(error.message) : error
  } finally {
    clearInterval(starting)
  }
  // The next start finds the compiled modules, also when this process is killed.
  flushCompileCache()
  let stoppedBy: string | undefined
  const stop = (signal: string): void => {
    // A terminal's Ctrl-C comes with `synod up`'s own SIGTERM: only the same signal again means impatience.
    if (stoppedBy === signal) process.exit(1)
    if (stoppedBy !== undefined) return
    stoppedBy = signal
    logger.info('stopping', { signal })
    setTimeout(() => process.exit(1), stopTimeoutMs).unref()
    running.stop().then(() => process.exit(0), die)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop(signal))
  // A node started by `synod up` ends with it, however it ended.
  process.on('disconnect', () => stop('parent gone'))
  await new Promise(() => {})
}
