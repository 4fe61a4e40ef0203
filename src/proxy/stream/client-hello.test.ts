import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { test } from 'node:test'
import * as tls from 'node:tls'
import fc from 'fast-check'
import { clientHelloBytesMax, NameRoutes, readClientHello } from './index.ts'

/** The first bytes that OpenSSL (in Node) sends. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1', ...options })
  client.on('error', () => {})
  const [socket] = await accepted
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  client.destroy()
  server.close()
  return bytes
}

const named = await helloOf({ servername: 'Shop.Example', ALPNProtocols: ['h2', 'http/1.1'] })
const nameless = await helloOf({})

/** The same hello in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 0xff]), fragment)
  }
  return Buffer.concat(records)
}

test('the name of a real ClientHello, in lower case, and none', () => {
  assert.deepEqual(readClientHello(named), { type: 'done', serverName: 'shop.example' })
  assert.deepEqual(readClientHello(nameless), { type: 'done', serverName: undefined })
})

test('TLS 1.2 alone', async () => {
  const hello = await helloOf({ servername: 'old.example', maxVersion: 'TLSv1.2' })
  assert.deepEqual(readClientHello(hello), { type: 'done', serverName: 'old.example' })
})

test('over many records, and cut at every byte', () => {
  for (const size of [40, 100]) {
    const bytes = inRecords(named, size)
    assert.deepEqual(readClientHello(bytes), { type: 'done', serverName: 'shop.example' })
    for (let i = 0; i < bytes.length; i++) assert.equal(readClientHello(bytes.subarray(0, i)).type, 'more', `${i}`)
  }
})

test('a hello in single octets is refused: each would cost a look at all before it', () => {
  const result = readClientHello(inRecords(named, 1))
  assert.deepEqual(result, { type: 'refuse', reason: 'a ClientHello in more than 64 records' })
})

test('what is no ClientHello is refused at once', () => {
  const edited = (at: number, value: number): Buffer => {
    const bytes = Buffer.from(named)
    bytes[at] = value
    return bytes
  }
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n'),
    Buffer.from([22, 2]),
    Buffer.from([22, 3, 1, 0, 0]),
    Buffer.from([22, 3, 1, 0xff, 0xff]),
    edited(5, 2),
    Buffer.from([22, 3, 1, 0, 4, 1, 0xff, 0, 0]),
    // The session id is longer than 32.
    edited(5 + 4 + 34, 33),
    Buffer.concat([named.subarray(0, 9), named.subarray(9).fill(0xff)]),
  ])
    assert.equal(readClientHello(Buffer.from(bytes)).type, 'refuse', bytes.subarray(0, 10).toString('hex'))
})

test('the server name must be one host name', async () => {
  const at = (await helloOf({ servername: 'a.example' })).indexOf('a.example')
  const fresh = async (name: string): Promise<Buffer> => {
    const bytes = await helloOf({ servername: 'a.example' })
    bytes.write(name, bytes.indexOf('a.example', at - 40), 'latin1')
    return bytes
  }
  for (const name of ['a\0example', 'a/example', '.aexample', 'a..xample', 'aéexample'])
    assert.equal(readClientHello(await fresh(name)).type, 'refuse', name)
})

test('any bytes, and any change to a hello: never throws, and decides within the bound', () => {
  const real = readClientHello(Buffer.from(inRecords(nameless, 40)))
  assert.equal(real.type, 'done')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.tuple(fc.nat(600), fc.nat(255))), (extra, changes) => {
      const bytes = Buffer.concat([inRecords(nameless, 60), extra])
      for (const [at, value] of changes) bytes[at % bytes.length] = value
      readClientHello(bytes)
      readClientHello(extra)
    }),
    { numRuns: 2000 },
  )
  // Records of one byte, for ever.
  const endless = Buffer.concat([Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x3f, 0]), Buffer.alloc(6 * clientHelloBytesMax)])
  for (let at = 9; at + 6 <= endless.length; at += 6) endless.set([22, 3, 1, 0, 1, 0], at)
  assert.equal(readClientHello(endless.subarray(0, clientHelloBytesMax)).type, 'refuse')
})

test('names are routed: exact, the longest suffix, the default', () => {
  const routes = new NameRoutes({
    names: [
      { names: ['*.example'], upstream: 'wide' },
      { names: ['Shop.example', '*.shop.example'], upstream: 'shop' },
      { names: ['shop.example'], upstream: 'late' },
    ],
    defaultUpstream: undefined,
  })
  const expected = { 'shop.example': 'shop', 'a.b.shop.example': 'shop', 'x.example': 'wide', example: undefined }
  for (const [name, upstream] of Object.entries(expected)) assert.equal(routes.find(name), upstream, name)
  assert.equal(routes.find(undefined), undefined)
  assert.equal(new NameRoutes({ names: [], defaultUpstream: 'd' }).find('x'), 'd')
})
