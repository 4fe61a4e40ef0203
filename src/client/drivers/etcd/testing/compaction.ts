import { ProtobufWriter } from '../../../../base/index.ts'
import type { Address } from '../../../../runtime/index.ts'
import { etcdPaths } from '../../../../wire/etcd-client/index.ts'
import { GrpcChannel } from '../../../../wire/grpc-client/index.ts'
import type { ClientRuntime } from '../../../driver/index.ts'

/** Makes a cluster forget history before `revision`; the driver itself has no way to ask for that. */
export function compact(outside: ClientRuntime, address: Address, revision: number): Promise<void> {
  const channel = new GrpcChannel(outside, address)
  channel.connect()
  return new Promise((resolve, reject) => {
    const request = new ProtobufWriter().int(1, revision).bool(2, true).finish()
    channel.unary(etcdPaths.compact, request, {}, (reply) => {
      channel.close()
      if (reply.ok) resolve()
      else reject(new Error(reply.message))
    })
  })
}
