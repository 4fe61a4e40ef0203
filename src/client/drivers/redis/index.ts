import type { Runtime } from '../../../runtime/index.ts'
import { SynodError } from '../../errors.ts'
import type { RedisPlane } from '../../plane/index.ts'

export interface RedisPlaneOptions {
  readonly host: string
  readonly port: number
  readonly db?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly tls?: object | undefined
  readonly prefix?: string | undefined
  readonly requestTimeoutMs?: number | undefined
  readonly ttlMs?: number | undefined
  /** Called once, when the plane is closed. */
  readonly onClosed?: (() => void) | undefined
}

export function openRedisPlane(_options: RedisPlaneOptions, _runtime: Runtime): Promise<RedisPlane> {
  return Promise.reject(new SynodError('NOT_SUPPORTED', 'not yet'))
}
