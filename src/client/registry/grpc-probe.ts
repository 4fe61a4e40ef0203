import { ProtobufReader, ProtobufWriter } from '../../base/index.ts'
import type { Address } from '../../runtime/index.ts'
import { GrpcChannel, type GrpcClientOutside } from '../../wire/grpc-client/index.ts'
import type { Probe } from './probe-loop.ts'

const checkPath = '/grpc.health.v1.Health/Check'
/** `HealthCheckRequest { string service = 1; }` */
const serviceField = 1
/** `HealthCheckResponse { ServingStatus status = 1; }`, of which 1 is `SERVING`. */
const statusTag = 0x08
const serving = 1

/** Passes when the gRPC health service (grpc/health/v1/health.proto) says that `service` is serving. */
export function grpcProbe(outside: GrpcClientOutside, address: Address, service: string): Probe {
  const request = encodeRequest(service)
  return (signal) =>
    new Promise((resolve) => {
      const channel = new GrpcChannel(outside, address, { authority: `${address.host}:${address.port}` })
      const finish = (failure: string | undefined): void => {
        resolve(failure)
        channel.close()
      }
      signal.addEventListener('abort', () => channel.close(), { once: true })
      channel.connect()
      channel.unary(checkPath, request, {}, (reply) => {
        if (!reply.ok) finish(`the health service answered with status ${reply.status}: ${reply.message}`)
        else finish(servingStatus(reply.message) === serving ? undefined : 'it says that it is not serving')
      })
    })
}

function encodeRequest(service: string): Uint8Array {
  return new ProtobufWriter().text(serviceField, service).finish()
}

function servingStatus(message: Uint8Array): number {
  let status = 0
  const reader = new ProtobufReader(message)
  while (reader.next()) {
    if (reader.tag === statusTag) status = reader.number()
    else reader.skip()
  }
  return reader.malformed ? 0 : status
}
