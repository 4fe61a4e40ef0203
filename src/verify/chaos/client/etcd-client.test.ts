/** The client against a server of Node's own: what it sends, and how a call can fail. */
import assert from 'node:assert/strict'
import { createServer, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { ProtobufWriter } from '../../../base/index.ts'
import { EtcdClient } from './etcd-client.ts'
import { RpcFailure } from './rpc-failure.ts'

const closers: (() => void)[] = []

function listen(server: { listen: Server['listen']; address: Server['address'] }): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}

/** A client of a server that does `answer` with each request's stream and body. */
async function clientOf(answer: (stream: ServerHttp2Stream, body: Buffer) => void): Promise<EtcdClient> {
  const server = createServer()
  server.on('stream', (stream) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => answer(stream, Buffer.concat(chunks)))
  })
  server.on('session', (session) => closers.push(() => session.destroy()))
  const client = new EtcdClient(await listen(server))
  closers.push(
    () => server.close(),
    () => client.close(),
  )
  return client
}

function reply(stream: ServerHttp2Stream, message: Uint8Array, status = 0, text = ''): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(status), 'grpc-message': text }))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  // In two pieces: messages do not keep to the borders of frames.
  stream.write(Buffer.concat([head, message]).subarray(0, 6))
  stream.end(Buffer.concat([head, message]).subarray(6))
}

function fails(code: RpcFailure['code'], status = -1): (error: unknown) => boolean {
  return (error) => error instanceof RpcFailure && error.code === code && error.status === status
}

describe('the client', () => {
  afterEach(() => {
    for (const close of closers.splice(0)) close()
  })

  it('sends a request and reads its answer', async () => {
    const bodies: Buffer[] = []
    const client = await clientOf((stream, body) => {
      bodies.push(body)
      const response = new ProtobufWriter()
      response.message(1, (header) => header.int(3, 7))
      response.message(2, (kv) => kv.text(1, 'a').int(2, 3).int(3, 5).int(4, 2).text(5, 'v').int(6, 9))
      reply(stream, response.finish())
    })
    const { revision, entries } = await client.range({ key: 'a', serializable: true }, 2000)
    assert.equal(revision, 7)
    assert.deepEqual(entries, [{ key: 'a', value: 'v', createRevision: 3, modRevision: 5, version: 2, lease: 9n }])
    // key = "a", serializable = true
    assert.deepEqual([...bodies[0]!.subarray(5)], [0x0a, 1, 0x61, 0x38, 1])
  })

  it('a status other than 0 is a refusal', async () => {
    const client = await clientOf((stream) => {
      stream.respond(
        { ':status': 200, 'grpc-status': '14', 'grpc-message': 'etcdserver: request timed out' },
        { endStream: true },
      )
    })
    await assert.rejects(client.put('a', 'b', 2000), fails('refused', 14))
  })

  it('no answer in time is a deadline', async () => {
    const client = await clientOf(() => {})
    await assert.rejects(client.put('a', 'b', 100), fails('deadline'))
  })

  it('a connection that breaks leaves the call broken', async () => {
    const client = await clientOf((stream) => stream.session?.destroy())
    await assert.rejects(client.put('a', 'b', 2000), fails('broken'))
  })

  it('nobody there, or one who accepts and says nothing: nothing was sent', async () => {
    const silent = createTcpServer((socket) => socket.resume())
    const silentUrl = await listen(silent)
    const nobody = createTcpServer()
    const nobodyUrl = await listen(nobody)
    await new Promise((resolve) => nobody.close(resolve))
    const clients = [new EtcdClient(silentUrl), new EtcdClient(nobodyUrl)]
    closers.push(() => silent.close(), ...clients.map((client) => () => client.close()))
    for (const client of clients) await assert.rejects(client.put('a', 'b', 200), fails('not-sent'))
  })

  it('connects again after a break', async () => {
    let calls = 0
    const client = await clientOf((stream) => {
      if (calls++ === 0) stream.session?.destroy()
      else reply(stream, new ProtobufWriter().message(1, (header) => header.int(3, 4)).finish())
    })
    await assert.rejects(client.put('a', 'b', 2000), fails('broken'))
    assert.equal(await client.put('a', 'b', 2000), 4)
  })
})
