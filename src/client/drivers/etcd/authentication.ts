/**
 * The token that goes with every request where the cluster wants one: fetched when the driver opens, and anew, once for
 * all who wait, when a node refuses it.
 */
import { decodeAuthenticateResponse, encodeAuthenticateRequest, etcdPaths } from '../../../wire/etcd-client/index.ts'
import type { CallOptions, ClientRuntime } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Calls } from './calls.ts'
import type { EtcdCredentials } from './options.ts'

export class Authentication {
  /** Undefined: none is needed, or none was fetched yet. */
  token: string | undefined = undefined
  private readonly outside: ClientRuntime
  private readonly credentials: EtcdCredentials | undefined
  private renewing: Promise<void> | undefined = undefined
  private calls: Calls | undefined = undefined

  constructor(outside: ClientRuntime, credentials: EtcdCredentials | undefined) {
    this.outside = outside
    this.credentials = credentials
  }

  /** Whether there is anything to log in with. */
  get possible(): boolean {
    return this.credentials !== undefined
  }

  /** What it asks with. */
  use(calls: Calls): void {
    this.calls = calls
  }

  /** Resolves once there is another token than `refused`; rejects with why there is none. */
  renew(refused: string | undefined, options: CallOptions = {}): Promise<void> {
    if (this.token !== refused) return Promise.resolve()
    this.renewing ??= this.fetch(options).finally(() => {
      this.renewing = undefined
    })
    return this.renewing
  }

  private async fetch(options: CallOptions): Promise<void> {
    const { credentials, calls } = this
    if (credentials === undefined || calls === undefined) return
    try {
      const { answer } = await calls.ask(
        {
          name: 'Authenticate',
          path: etcdPaths.authenticate,
          kind: 'repeatable',
          request: encodeAuthenticateRequest(credentials.username, credentials.password),
          decode: decodeAuthenticateResponse,
        },
        options,
      )
      this.token = answer.token
    } catch (error) {
      if (!(error instanceof SynodError) || error.code !== 'NOT_SUPPORTED') throw error
      // As etcd's own client: a cluster that asks nobody who he is lets everybody in, also who would say.
      this.outside.logger.warn('the cluster does not ask who its clients are', { username: credentials.username })
    }
  }
}
