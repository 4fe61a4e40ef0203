/** What every worker of the workload is given. */
import type { Prng } from '../../../base/index.ts'
import type { EtcdApi } from '../client/etcd-api.ts'
import type { Recorder } from '../recorder.ts'
import type { Tally } from './tally.ts'

/** A node to which clients can connect. */
export interface Endpoint {
  readonly name: string
  readonly connect: () => EtcdApi
}

export interface WorkloadWorld {
  readonly recorder: Recorder
  readonly tally: Tally
  /** The nodes that serve clients at present; at least one. */
  readonly endpoints: () => readonly Endpoint[]
  /** Raised when the workers are to end what they do and return. */
  readonly ended: AbortSignal
  /** Operations a second that the key-value clients aim at together. */
  readonly rate: number
  readonly operationTimeoutMs: number
}

/** One client that does one thing after another until the workload ends. */
export interface Worker {
  readonly name: string
  readonly random: Prng
  readonly run: () => Promise<void>
}
