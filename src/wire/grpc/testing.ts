/** A gRPC server on a real socket and a client on `node:http2`, for the tests of this folder. Not part of the face. */
import http2 from 'node:http2'
import type { TestContext } from 'node:test'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { GrpcServer } from './grpc-server.ts'
import type { GrpcRoutes } from './method.ts'
import type { GrpcOptions } from './options.ts'

/** A promise and what settles it. */
export function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

export interface TestServer {
  readonly server: GrpcServer
  readonly port: number
  readonly session: http2.ClientHttp2Session
}

/** Serves `routes` until the test `t` ends. */
export async function startServer(
  t: TestContext,
  routes: readonly GrpcRoutes[],
  options: Partial<GrpcOptions> = {},
  client: http2.ClientSessionOptions = {},
): Promise<TestServer> {
  const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
  const server = new GrpcServer({ clock, scheduler, routes, options })
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.setHandler(server.accept(connection))
  })
  const session = http2.connect(`http://127.0.0.1:${listener.address.port}`, client)
  session.on('error', () => {})
  t.after(async () => {
    session.destroy()
    await listener.close()
  })
  return { server, port: listener.address.port, session }
}

/** What came back for one request. */
export interface Answer {
  readonly httpStatus: number
  readonly status: string | undefined
  readonly message: string | undefined
  readonly messages: Buffer[]
  readonly resetCode: number
}

export function envelope(message: Uint8Array, flag = 0): Buffer {
  const prefix = Buffer.alloc(5)
  prefix[0] = flag
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

export function splitMessages(body: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 1)
    messages.push(body.subarray(at + 5, at + 5 + length))
    at += 5 + length
  }
  return messages
}

/** Sends `pieces` as the body of one request and collects the answer. */
export function request(
  session: http2.ClientHttp2Session,
  path: string,
  pieces: readonly Uint8Array[],
  headers: http2.OutgoingHttpHeaders = {},
): Promise<Answer> {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  for (const piece of pieces) stream.write(piece)
  stream.end()
  return collect(stream)
}

export function collect(stream: http2.ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    let head: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {}
    let trailers: http2.IncomingHttpHeaders = {}
    const body: Buffer[] = []
    stream.on('response', (received) => {
      head = received
    })
    stream.on('trailers', (received) => {
      trailers = received
    })
    stream.on('data', (piece: Buffer) => body.push(piece))
    stream.on('error', () => {})
    stream.on('close', () => {
      const status = trailers['grpc-status'] ?? head['grpc-status']
      const message = trailers['grpc-message'] ?? head['grpc-message']
      resolve({
        httpStatus: head[':status'] ?? 0,
        status: status === undefined ? undefined : String(status),
        message: message === undefined ? undefined : String(message),
        messages: splitMessages(Buffer.concat(body)),
        resetCode: stream.rstCode,
      })
    })
  })
}
