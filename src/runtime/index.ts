import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Logger } from './logger.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduler.ts'

export type { AppendFile, AppendFiles } from './append-file.ts'
export type { Clock } from './clock.ts'
export type { CommandEnd, Commands } from './commands.ts'
export { type Disk, DiskError, type DiskErrorCode, type DiskFile, type DiskLock, type OpenMode } from './disk.ts'
export { type LogFields, type Logger, type LogLevel, silentLogger } from './logger.ts'
export { NameError, type NameErrorCode, type NameService, type ServiceRecord } from './name-service.ts'
export {
  type Address,
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  ListenError,
  type Listener,
  type Network,
  resetConnection,
} from './network.ts'
export {
  type BoundSocket,
  type ClientCertificate,
  type ConnectionOrigin,
  type Port,
  type PortOpener,
  type PortRefusal,
  type PortSettings,
  type Preamble,
  type PreambleVerdict,
  type TlsServerSettings,
  type TlsSession,
  TlsSettingsError,
} from './port.ts'
export type { Random } from './random.ts'
export type { Scheduler, Timer } from './scheduler.ts'
export type { TextFiles } from './text-files.ts'

/** The outside world, as one node sees it. */
export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly scheduler: Scheduler
  readonly disk: Disk
  readonly network: Network
  readonly logger: Logger
}
