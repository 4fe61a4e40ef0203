/** gRPC passes through whole: @grpc/grpc-js on both sides, grpcurl with reflection in front of this repository's server. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import * as grpc from '@grpc/grpc-js'
import { findPeer, skipWithout } from '../../../conformance/peers.ts'
import { ProtobufWriter } from '../../base/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { GrpcServer, HealthStatus, healthRoutes, reflectionRoutes } from '../../wire/grpc/index.ts'
import { startTestProxy, type TestProxy } from './testing.ts'

const asIs = (bytes: Buffer): Buffer => bytes

function method(name: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> {
  const serdes = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  }
  return { path: `/test.Kinds/${name}`, requestStream, responseStream, ...serdes }
}

const definition = {
  unary: method('Unary', false, false),
  fail: method('Fail', false, false),
  silent: method('Silent', false, false),
  collect: method('Collect', true, false),
  count: method('Count', false, true),
  chat: method('Chat', true, true),
}

interface World {
  readonly client: grpc.Client
  readonly proxy: TestProxy
  readonly server: grpc.Server
  /** Calls that the server heard were cancelled. */
  cancelled: number
}

async function start(t: TestContext): Promise<World> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': -1 })
  const world = { server, cancelled: 0 }
  server.addService(definition, {
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      const initial = new grpc.Metadata()
      initial.set('x-seen', call.metadata.get('x-asked')[0] ?? '')
      call.sendMetadata(initial)
      const trailing = new grpc.Metadata()
      trailing.set('x-bytes-bin', Buffer.from([0, 1, 255]))
      reply(null, call.request, trailing)
    },
    fail: (_call: unknown, reply: grpc.sendUnaryData<Buffer>) => {
      reply({ code: grpc.status.FAILED_PRECONDITION, details: 'nicht möglich\n' })
    },
    silent: (call: grpc.ServerUnaryCall<Buffer, Buffer>) => {
      call.on('cancelled', () => world.cancelled++)
    },
    collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      let sum = 0
      call.on('data', (message: Buffer) => {
        sum += message.length
      })
      call.on('end', () => reply(null, Buffer.from(String(sum))))
    },
    count: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let at = 0; at < 100; at++) call.write(Buffer.from(String(at)))
      call.end()
    },
    chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on('cancelled', () => world.cancelled++)
      call.on('data', (message: Buffer) => call.write(message))
      call.on('end', () => call.end())
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    )
  })
  const proxy = await startTestProxy({ endpointPort: port })
  const client = new grpc.Client(`127.0.0.1:${proxy.port}`, grpc.credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  })
  t.after(async () => {
    client.close()
    await proxy.close()
    server.forceShutdown()
  })
  return Object.assign(world, { client, proxy })
}

interface Unary {
  readonly error: grpc.ServiceError | null
  readonly message: Buffer | undefined
  readonly metadata: grpc.Metadata | undefined
  readonly status: grpc.StatusObject | undefined
}

function unary(
  client: grpc.Client,
  { path }: { path: string },
  message: Buffer,
  options: grpc.CallOptions = {},
): Promise<Unary> {
  const asked = new grpc.Metadata()
  asked.set('x-asked', 'this')
  return new Promise((resolve) => {
    let metadata: grpc.Metadata | undefined
    let status: grpc.StatusObject | undefined
    let outcome: { error: grpc.ServiceError | null; message: Buffer | undefined } | undefined
    const settle = (): void => {
      if (status !== undefined && outcome !== undefined) resolve({ ...outcome, metadata, status })
    }
    const call = client.makeUnaryRequest(path, asIs, asIs, message, asked, options, (error, reply) => {
      outcome = { error, message: reply }
      settle()
    })
    call.on('metadata', (fields) => {
      metadata = fields
    })
    call.on('status', (object) => {
      status = object
      settle()
    })
  })
}

async function eventually(holds: () => boolean): Promise<void> {
  for (const endsAt = Date.now() + 10_000; !holds(); ) {
    assert.ok(Date.now() < endsAt, 'it never came true')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** The part of grpc/health/v1/health.proto that a check needs, as a FileDescriptorProto. */
function healthDescriptor(): Uint8Array {
  const [optional, string, enumeration] = [1, 9, 14]
  const writer = new ProtobufWriter().text(1, 'health.proto').text(2, 'grpc.health.v1')
  writer.message(4, (message) => {
    message.text(1, 'HealthCheckRequest')
    message.message(2, (field) => field.text(1, 'service').int(3, 1).int(4, optional).int(5, string))
  })
  writer.message(4, (message) => {
    message.text(1, 'HealthCheckResponse')
    message.message(2, (field) => {
      field.text(1, 'status').int(3, 1).int(4, optional).int(5, enumeration).text(6, '.grpc.health.v1.ServingStatus')
    })
  })
  writer.message(5, (type) => {
    type.text(1, 'ServingStatus').message(2, (value) => value.text(1, 'UNKNOWN').presentInt(2, 0))
    type.message(2, (value) => value.text(1, 'SERVING').int(2, 1))
  })
  writer.message(6, (service) => {
    service.text(1, 'Health').message(2, (one) => {
      one.text(1, 'Check').text(2, '.grpc.health.v1.HealthCheckRequest').text(3, '.grpc.health.v1.HealthCheckResponse')
    })
  })
  writer.text(12, 'proto3')
  return Uint8Array.from(writer.finish())
}

describe('gRPC through the proxy', () => {
  it('unary: message, metadata and trailers', async (t) => {
    const { client } = await start(t)
    for (let round = 0; round < 3; round++) {
      const { message, metadata, status } = await unary(client, definition.unary, Buffer.from(`hello ${round}`))
      assert.equal(message?.toString(), `hello ${round}`)
      assert.deepEqual(metadata?.get('x-seen'), ['this'])
      assert.deepEqual(status?.metadata.get('x-bytes-bin'), [Buffer.from([0, 1, 255])])
    }
  })

  it('messages of 1 MB, many at once', async (t) => {
    const { client } = await start(t)
    const large = Buffer.alloc(1 << 20, 'large')
    const answers = await Promise.all(Array.from({ length: 20 }, () => unary(client, definition.unary, large)))
    for (const { message } of answers) assert.ok(message?.equals(large))
  })

  it('errors, also those without a response', async (t) => {
    const { client } = await start(t)
    const failed = await unary(client, definition.fail, Buffer.from(''))
    assert.deepEqual([failed.error?.code, failed.error?.details], [grpc.status.FAILED_PRECONDITION, 'nicht möglich\n'])
    const unknown = await unary(client, { path: '/test.Kinds/Nothing' }, Buffer.from(''))
    assert.equal(unknown.error?.code, grpc.status.UNIMPLEMENTED)
  })

  it('streams of all kinds', async (t) => {
    const { client } = await start(t)
    const collected = await new Promise<Buffer | undefined>((resolve, reject) => {
      const call = client.makeClientStreamRequest(definition.collect.path, asIs, asIs, (error, reply) =>
        error === null ? resolve(reply) : reject(error),
      )
      for (let at = 0; at < 100; at++) call.write(Buffer.alloc(1_000))
      call.end()
    })
    assert.equal(collected?.toString(), '100000')

    const counted: string[] = []
    const counting = client.makeServerStreamRequest(definition.count.path, asIs, asIs, Buffer.from(''))
    counting.on('data', (message: Buffer) => counted.push(message.toString()))
    await once(counting, 'end')
    assert.deepEqual(
      counted,
      Array.from({ length: 100 }, (_, at) => String(at)),
    )

    const chat = client.makeBidiStreamRequest(definition.chat.path, asIs, asIs)
    for (const word of ['one', 'two', 'three']) {
      chat.write(Buffer.from(word))
      const [echo] = (await once(chat, 'data')) as [Buffer]
      assert.equal(echo.toString(), word)
    }
    const ended = once(chat, 'status') as Promise<[grpc.StatusObject]>
    chat.resume()
    chat.end()
    assert.equal((await ended)[0].code, grpc.status.OK)
  })

  it('deadlines and cancellation reach the server', async (t) => {
    const world = await start(t)
    const late = await unary(world.client, definition.silent, Buffer.from(''), { deadline: Date.now() + 100 })
    assert.equal(late.error?.code, grpc.status.DEADLINE_EXCEEDED)
    await eventually(() => world.cancelled === 1)
    const chat = world.client.makeBidiStreamRequest(definition.chat.path, asIs, asIs)
    chat.on('error', () => {})
    chat.write(Buffer.from('one'))
    await once(chat, 'data')
    chat.cancel()
    await eventually(() => world.cancelled === 2 && world.proxy.forwarder.aborted.length === 2)
  })

  it('a server that goes away ends the calls, and the next one finds that nobody listens', async (t) => {
    const { client, server } = await start(t)
    const chat = client.makeBidiStreamRequest(definition.chat.path, asIs, asIs)
    const failed = new Promise<grpc.StatusObject>((resolve) => chat.once('status', resolve))
    chat.on('error', () => {})
    chat.write(Buffer.from('one'))
    await once(chat, 'data')
    chat.resume()
    server.forceShutdown()
    assert.notEqual((await failed).code, grpc.status.OK)
    assert.equal((await unary(client, definition.unary, Buffer.from(''))).error?.code, grpc.status.UNAVAILABLE)
  })

  it('grpcurl finds the services by reflection', { skip: skipWithout('grpcurl') }, async (t) => {
    const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
    const health = healthRoutes({ status: () => HealthStatus.serving, onChange: () => () => {} })
    const routes = [health, reflectionRoutes({ files: [healthDescriptor()] })]
    const server = new GrpcServer({ clock, scheduler, routes })
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
      connection.setHandler(server.accept(connection))
    })
    const proxy = await startTestProxy({ endpointPort: listener.address.port })
    t.after(async () => {
      await proxy.close()
      await listener.close()
    })
    const run = promisify(execFile)
    const grpcurl = findPeer('grpcurl')!.path
    const address = `127.0.0.1:${proxy.port}`
    const { stdout: list } = await run(grpcurl, ['-plaintext', address, 'list'], { timeout: 20_000 })
    assert.match(list, /grpc\.health\.v1\.Health/)
    const { stdout } = await run(grpcurl, ['-plaintext', address, 'grpc.health.v1.Health/Check'], { timeout: 20_000 })
    assert.match(stdout, /SERVING/)
  })
})
