import type { LogFields, LogLevel, Runtime } from '../index.ts'
import { nodeClock } from './clock.ts'
import { NodeDisk } from './disk.ts'
import { LineLogger, type LogFormat } from './logger.ts'
import { NodeNetwork } from './network.ts'
import { NodeRandom } from './random.ts'
import { NodeScheduler } from './scheduler.ts'

export { NodeAppendFiles } from './append-file.ts'
export { NodeCommands } from './commands.ts'
export { holdProcess } from './hold-process.ts'
export { machineMonotonicMs, recordDiskToFile } from './journal-file.ts'
export { LineLogger, type LineLoggerOptions, type LogFormat } from './logger.ts'
export { NodeNameService, type NodeNameServiceOptions } from './name-service.ts'
export { createPortOpener } from './port-opener.ts'
export { boundRegExpBacktracking } from './regexp-backtracking.ts'
export { NodeTextFiles } from './text-files.ts'
export { createTlsNetwork, type TlsOptions } from './tls-network.ts'

/** How {@link createNodeRuntime} logs. */
export interface NodeRuntimeOptions {
  /** The least important level that is written. */
  readonly logLevel: LogLevel
  /** Default `text`. */
  readonly logFormat?: LogFormat | undefined
  /** Added to every line, for example the node's name. */
  readonly logFields?: LogFields | undefined
  /** Receives each line, its newline included. Default: standard error. */
  readonly writeLogLine?: ((line: string) => void) | undefined
  /**
   * Small reads from the network share memory, up to 8 KiB: faster, for processes that pass bytes on and keep none. Default
   * false: a view of a read that is kept for long keeps no more than that read.
   */
  readonly packsReads?: boolean | undefined
}

/** The outside world itself: this machine's clocks, disk, TCP and entropy, and log lines on standard error. */
export function createNodeRuntime(options: NodeRuntimeOptions): Runtime {
  const logger = new LineLogger({
    level: options.logLevel,
    format: options.logFormat ?? 'text',
    fields: options.logFields,
    writeLine: options.writeLogLine ?? ((line) => process.stderr.write(line)),
    wallMs: nodeClock.wallMs,
  })
  return {
    clock: nodeClock,
    random: new NodeRandom(),
    scheduler: new NodeScheduler(),
    disk: new NodeDisk(),
    network: new NodeNetwork(logger, options.packsReads ?? false),
    logger,
  }
}
