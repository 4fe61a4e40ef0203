/** How an instance's health is known, and the probe for it. */
import type { ClientRuntime } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { grpcProbe } from './grpc-probe.ts'
import { httpProbe } from './http-probe.ts'
import type { Probe, ProbePace } from './probe-loop.ts'
import { tcpProbe } from './tcp-probe.ts'

/** How often to probe, and what to make of it. */
export interface ProbeOptions {
  /** From probe to probe, in milliseconds; a tenth more or less, at random. Default 5000. */
  readonly intervalMs?: number | undefined
  /** After this a probe has failed, in milliseconds. Default: `intervalMs`. */
  readonly timeoutMs?: number | undefined
  /** So many probes in a row that pass make it healthy. Default 1. */
  readonly healthyAfter?: number | undefined
  /** So many in a row that fail make it unhealthy. Default 3. */
  readonly unhealthyAfter?: number | undefined
}

/** Where to probe; by default the instance's own address and port. */
export interface ProbeTarget {
  readonly host?: string | undefined
  readonly port?: number | undefined
}

/**
 * - `ttl`: healthy as long as its session lives: the process runs and reaches the engine.
 * - `heartbeat`: `check` is called three times in `ttlMs`; unhealthy when it returned true for none of them.
 * - `http`: a GET of `url` (`http:` only) over HTTP/1.1 is answered with a status of 200 to 399.
 * - `tcp`: a connection can be made.
 * - `grpc`: `grpc.health.v1.Health/Check` answers `SERVING`, for `service` or the server as a whole.
 *
 * All but `ttl` begin unhealthy.
 */
export type HealthCheck =
  | { readonly type: 'ttl' }
  | { readonly type: 'heartbeat'; readonly ttlMs: number; readonly check: () => Promise<boolean> | boolean }
  | ({ readonly type: 'http'; readonly url: string } & ProbeOptions)
  | ({ readonly type: 'tcp' } & ProbeTarget & ProbeOptions)
  | ({ readonly type: 'grpc'; readonly service?: string | undefined } & ProbeTarget & ProbeOptions)

/** What a check comes down to; undefined for `ttl`, which needs no probing. Throws `INVALID_ARGUMENT`. */
export function probingOf(
  outside: ClientRuntime,
  health: HealthCheck,
  own: { readonly address: string; readonly port?: number | undefined },
): { readonly probe: Probe; readonly pace: ProbePace } | undefined {
  switch (health.type) {
    case 'ttl':
      return undefined
    case 'heartbeat': {
      const intervalMs = positive('ttlMs', health.ttlMs) / 3
      const probe: Probe = async () => ((await health.check()) ? undefined : 'its check returned false')
      return { probe, pace: { intervalMs, timeoutMs: intervalMs, healthyAfter: 1, unhealthyAfter: 3 } }
    }
    case 'http':
      return { probe: httpProbe(outside, health.url), pace: paceOf(health) }
    case 'tcp':
      return { probe: tcpProbe(outside, targetOf(health, own)), pace: paceOf(health) }
    case 'grpc':
      return { probe: grpcProbe(outside, targetOf(health, own), health.service ?? ''), pace: paceOf(health) }
  }
}

function paceOf(options: ProbeOptions): ProbePace {
  const intervalMs = positive('intervalMs', options.intervalMs ?? 5000)
  return {
    intervalMs,
    timeoutMs: positive('timeoutMs', options.timeoutMs ?? intervalMs),
    healthyAfter: positive('healthyAfter', options.healthyAfter ?? 1),
    unhealthyAfter: positive('unhealthyAfter', options.unhealthyAfter ?? 3),
  }
}

function targetOf(target: ProbeTarget, own: { readonly address: string; readonly port?: number | undefined }) {
  const port = target.port ?? own.port
  if (port === undefined) throw new SynodError('INVALID_ARGUMENT', 'a probe needs a port: its own, or the instance’s')
  return { host: target.host ?? own.address, port }
}

function positive(what: string, value: number): number {
  if (value > 0 && Number.isFinite(value)) return value
  throw new SynodError('INVALID_ARGUMENT', `${what} is ${value}; it must be a number above 0`)
}
