// Bare requests with @grpc/grpc-js: no library above it, so the least that a client on it can cost.
import * as grpc from '@grpc/grpc-js'
import { encodePutRequest, encodeRangeRequest, etcdPaths } from '../../src/wire/etcd-client/index.ts'
import type { Side } from './side.ts'

export async function openGrpcJsSide([endpoint]: readonly string[]): Promise<Side> {
  const client = new grpc.Client(endpoint!, grpc.credentials.createInsecure())
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + 10_000, (error) => (error === undefined ? resolve() : reject(error)))
  })
  const asIs = (bytes: Buffer): Buffer => bytes
  const ask = (path: string, request: Uint8Array): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const deadline = Date.now() + 10_000
      client.makeUnaryRequest(path, asIs, asIs, Buffer.from(request), { deadline }, (error, answer) =>
        error === null ? resolve(answer) : reject(error),
      )
    })
  return {
    put: (key, value) => ask(etcdPaths.put, encodePutRequest(key, Buffer.from(value), 0n)),
    get: (key) => ask(etcdPaths.range, encodeRangeRequest(key, { serializable: true })),
    close: () => client.close(),
  }
}
