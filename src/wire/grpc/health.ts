/**
 * The health service (grpc/grpc doc/health-checking.md).
 *
 *     service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse)
 *                      rpc Watch(HealthCheckRequest) returns (stream HealthCheckResponse) }
 *     HealthCheckRequest  { string service = 1 }
 *     HealthCheckResponse { ServingStatus status = 1 }
 */
import { bytesTag, ProtobufReader, ProtobufWriter } from '../../base/index.ts'
import { type GrpcRoutes, streaming, unary } from './method.ts'
import { GrpcStatusCode } from './status.ts'
import type { StreamCall } from './stream-call.ts'

export const HealthStatus = { unknown: 0, serving: 1, notServing: 2, serviceUnknown: 3 } as const
export type HealthStatus = (typeof HealthStatus)[keyof typeof HealthStatus]

/** Knows how the services do. The empty name is the whole server. */
export interface HealthProvider {
  /** `undefined` for a service it does not know. */
  status(service: string): HealthStatus | undefined
  /** Calls back after any status may have changed, until the returned function is called. */
  onChange(callback: () => void): () => void
}

/** The routes of `grpc.health.v1.Health`. */
export function healthRoutes(provider: HealthProvider): GrpcRoutes {
  return {
    '/grpc.health.v1.Health/Check': unary((call) => {
      const service = readService(call.message)
      const status = service === undefined ? undefined : provider.status(service)
      if (service === undefined) call.fail(GrpcStatusCode.internal, 'grpc: error unmarshalling request')
      else if (status === undefined) call.fail(GrpcStatusCode.notFound, 'unknown service')
      else call.reply(encodeStatus(status))
    }),
    '/grpc.health.v1.Health/Watch': streaming((call) => watchHealth(call, provider)),
  }
}

/** Sends the status at once and after each change. A client that lags gets the latest when it catches up. */
function watchHealth(call: StreamCall, provider: HealthProvider): void {
  let sent: HealthStatus | undefined
  let isLagging = false
  let service: string | undefined
  const update = (): void => {
    if (service === undefined || isLagging) return
    const status = provider.status(service) ?? HealthStatus.serviceUnknown
    if (status === sent) return
    sent = status
    isLagging = !call.send(encodeStatus(status))
  }
  call.onMessage((message) => {
    if (service !== undefined) return
    service = readService(message)
    if (service === undefined) call.fail(GrpcStatusCode.internal, 'grpc: error unmarshalling request')
    else update()
  })
  call.onDrain(() => {
    isLagging = false
    update()
  })
  call.onCancel(provider.onChange(update))
}

function readService(message: Uint8Array): string | undefined {
  const reader = new ProtobufReader(message)
  let service = ''
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) {
      reader.bytes()
      service = reader.text()
    } else {
      reader.skip()
    }
  }
  return reader.malformed ? undefined : service
}

function encodeStatus(status: HealthStatus): Uint8Array {
  return new ProtobufWriter(8).int(1, status).finish()
}
