/** A server and clients made of nothing but grpc-js and proto-loader: the outsiders of the tests. */
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const loaded = loadSync(join(import.meta.dirname, '../grpc/testing/orders.proto'), { longs: Number, defaults: true })

/** As `@grpc/proto-loader` gives it. */
export const ordersDefinition = loaded['synod.testing.v1.Orders'] as unknown as grpc.ServiceDefinition

interface Message {
  readonly id: string
  readonly item: string
  readonly count: number
  readonly note: Buffer
  readonly noteBytes: number
}

type Done = (error: Partial<grpc.StatusObject> | null, value?: object, trailer?: grpc.Metadata) => void

/** grpc-js's client, as far as the tests use it. */
export interface OrdersPeer extends grpc.Client {
  PlaceOrder(request: object, metadata: grpc.Metadata, options: grpc.CallOptions, done: Done): grpc.ClientUnaryCall
  GetOrder(request: object, done: Done): grpc.ClientUnaryCall
  ListOrders(request: object, metadata?: grpc.Metadata): grpc.ClientReadableStream<Message>
  Upload(done: Done): grpc.ClientWritableStream<object>
  Chat(): grpc.ClientDuplexStream<object, Message>
}

export function peerClient(address: string, options: grpc.ClientOptions = {}): OrdersPeer {
  const Orders = grpc.makeClientConstructor(ordersDefinition, 'Orders')
  return new Orders(address, grpc.credentials.createInsecure(), options) as unknown as OrdersPeer
}

/** A server with the behaviour of `ordersOf`, and its port. */
export async function peerServer(
  servedBy: string,
  credentials = grpc.ServerCredentials.createInsecure(),
): Promise<{ readonly server: grpc.Server; readonly port: number }> {
  const server = new grpc.Server()
  server.addService(ordersDefinition, {
    PlaceOrder: (call: grpc.ServerUnaryCall<Message, object>, done: Done) => placeOrder(call, done, servedBy),
    GetOrder: (call: grpc.ServerUnaryCall<Message, object>, done: Done) =>
      done(null, { id: call.request.id, item: 'book', count: 1 }),
    ListOrders: listOrders,
    Upload: upload,
    Chat(call: grpc.ServerDuplexStream<Message, object>) {
      call.on('data', ({ id, item }: Message) => call.write({ id, item: item.toUpperCase() }))
      call.on('end', () => call.end())
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
  })
  return { server, port }
}

function placeOrder(call: grpc.ServerUnaryCall<Message, object>, done: Done, servedBy: string): void {
  const { item, note } = call.request
  const trailer = new grpc.Metadata()
  const [text] = call.metadata.get('x-echo')
  const [bytes] = call.metadata.get('x-echo-bin')
  if (text !== undefined && bytes !== undefined) {
    const head = new grpc.Metadata()
    head.set('x-head', text)
    head.set('x-head-bin', bytes)
    call.sendMetadata(head)
    trailer.set('x-trailer', text)
    trailer.set('x-trailer-bin', bytes)
  }
  if (item === 'wait') return
  if (item === 'fail') {
    const metadata = new grpc.Metadata()
    metadata.set('x-why', 'sold out')
    done({ code: grpc.status.FAILED_PRECONDITION, details: 'no such item: 100 % ✗', metadata })
    return
  }
  done(null, { id: `${item}-1`, servedBy, note }, trailer)
}

async function listOrders(call: grpc.ServerWritableStream<Message, object>): Promise<void> {
  const { count, noteBytes } = call.request
  for (let at = 0; at < count && !call.cancelled; at++) {
    const isLow = call.write({ id: String(at), item: 'book', count: at, note: Buffer.alloc(noteBytes) })
    if (!isLow) await new Promise<void>((resolve) => call.once('drain', resolve))
  }
  call.end()
}

function upload(call: grpc.ServerReadableStream<Message, object>, done: Done): void {
  let count = 0
  let bytes = 0
  call.on('data', ({ note }: Message) => {
    count++
    bytes += note.length
  })
  call.on('end', () => done(null, { count, bytes }))
}
