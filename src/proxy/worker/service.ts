import type { Connection, ConnectionOrigin } from '../../runtime/index.ts'

/** What serves the connections that a port accepts. */
export interface ListenerService {
  accept(connection: Connection, origin: ConnectionOrigin): void
  readonly connections: number
  /** Lets what is under way finish for at most `timeoutMs`, then ends it. Resolves when nothing is left. */
  drain(timeoutMs: number): Promise<void>
  destroyAll(): void
}
