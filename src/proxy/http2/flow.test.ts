/** Flow control between real sockets: large bodies in flat memory, slow readers, many streams. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { startTestProxy, type TestProxy } from './testing.ts'

const totalBytes = 100 << 20
const piece = Buffer.alloc(64 << 10, 7)
/** What 100 MiB may at most add to this process, which is client, proxy and server in one. */
const growthBytesMax = 12 << 20

setFlagsFromString('--expose-gc')
/** What is garbage already is not held. */
const collectGarbage = runInNewContext('gc') as () => void

async function start(
  t: TestContext,
  serve: (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
): Promise<{ proxy: TestProxy; client: http2.ClientHttp2Session }> {
  const server = http2.createServer({ maxSessionMemory: 1_000 })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    serve(stream, headers)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await startTestProxy({ endpointPort: (server.address() as AddressInfo).port })
  const client = http2.connect(`http://127.0.0.1:${proxy.port}`, { maxSessionMemory: 1_000 })
  client.on('error', () => {})
  t.after(async () => {
    client.destroy()
    await proxy.close()
    server.close()
  })
  return { proxy, client }
}

/** Writes `bytes` in all, as fast as they are taken. */
function pour(stream: http2.Http2Stream, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0) {
      left -= piece.length
      if (!stream.write(piece)) {
        stream.once('drain', more)
        return
      }
    }
    stream.end()
  }
  more()
}

/**
 * Reads to the end; returns how much, and the least growth of this process's buffers seen between a quarter and three
 * quarters of `totalBytes`: a queue without bounds would show in all those looks, a late sweep of garbage in some.
 */
async function drinkWatching(stream: http2.Http2Stream): Promise<{ bytes: number; growth: number }> {
  collectGarbage()
  const before = process.memoryUsage().arrayBuffers
  let bytes = 0
  let growth = Number.POSITIVE_INFINITY
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const looks = bytes >>> 22
    bytes += chunk.length
    if (bytes >>> 22 === looks || bytes * 4 < totalBytes || bytes * 4 > totalBytes * 3) continue
    collectGarbage()
    growth = Math.min(growth, process.memoryUsage().arrayBuffers - before)
  }
  return { bytes, growth }
}

async function drink(stream: http2.Http2Stream): Promise<{ bytes: number }> {
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) bytes += chunk.length
  return { bytes }
}

describe('bodies', () => {
  it('100 MiB down in flat memory', { timeout: 60_000 }, async (t) => {
    const { client } = await start(t, (stream) => {
      // Node's server resets a stream whose request it never read, sometimes before its response is out.
      stream.resume()
      stream.respond({ ':status': 200 })
      pour(stream, totalBytes)
    })
    const { bytes, growth } = await drinkWatching(client.request({ ':path': '/' }))
    assert.equal(bytes, totalBytes)
    assert.ok(growth < growthBytesMax, `grew by ${growth}`)
  })

  it('100 MiB up in flat memory', { timeout: 60_000 }, async (t) => {
    let uploaded: Promise<{ bytes: number; growth: number }> | undefined
    const { client } = await start(t, (stream) => {
      uploaded = drinkWatching(stream)
      void uploaded.then(() => {
        stream.respond({ ':status': 200 })
        stream.end('thanks')
      })
    })
    const stream = client.request({ ':method': 'POST', ':path': '/' })
    pour(stream, totalBytes)
    await drink(stream)
    const { bytes, growth } = await uploaded!
    assert.equal(bytes, totalBytes)
    assert.ok(growth < growthBytesMax, `grew by ${growth}`)
  })

  it('a reader that stops stops the server, not the other streams', { timeout: 60_000 }, async (t) => {
    let poured = 0
    const { client } = await start(t, (stream, headers) => {
      stream.resume()
      stream.respond({ ':status': 200 })
      if (headers[':path'] === '/small') {
        stream.end('small')
        return
      }
      const more = (): void => {
        for (let wants = true; wants && poured < totalBytes && !stream.destroyed; poured += piece.length) {
          wants = stream.write(piece)
        }
        if (poured < totalBytes) stream.once('drain', more)
      }
      more()
    })
    const stuck = client.request({ ':path': '/large' })
    await new Promise((resolve) => stuck.once('response', resolve))
    stuck.pause()
    for (let at = 0; at < 300; at++) {
      const { bytes } = await drink(client.request({ ':path': '/small' }))
      assert.equal(bytes, 5)
    }
    assert.ok(poured < 4 << 20, `the server went on to ${poured}`)
    stuck.resume()
    let rest = 0
    stuck.on('data', (chunk: Buffer) => {
      rest += chunk.length
    })
    while (rest < 20 << 20) await new Promise((resolve) => stuck.once('data', resolve))
    stuck.close(http2.constants.NGHTTP2_CANCEL)
  })

  it('a server that does not read stops the client', { timeout: 60_000 }, async (t) => {
    const taken: http2.ServerHttp2Stream[] = []
    const { client, proxy } = await start(t, (stream) => taken.push(stream))
    const stream = client.request({ ':method': 'POST', ':path': '/' })
    stream.on('error', () => {})
    pour(stream, 32 << 20)
    while (taken.length === 0) await new Promise((resolve) => setImmediate(resolve))
    let sent = -1
    for (let now = client.socket.bytesWritten; sent !== now; now = client.socket.bytesWritten) {
      sent = now
      for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(sent > 0 && sent < 4 << 20, `the client went on to ${sent}`)
    const { bytes } = await drink(taken[0]!)
    assert.equal(bytes, 32 << 20)
    taken[0]!.respond({ ':status': 200 }, { endStream: true })
    await drink(stream)
    assert.equal(proxy.forwarder.failures.length, 0)
  })

  it('a thousand streams over a few at a time', { timeout: 60_000 }, async (t) => {
    const { client, proxy } = await start(t, (stream) => {
      stream.respond({ ':status': 200 })
      stream.on('data', (chunk: Buffer) => stream.write(chunk))
      stream.on('end', () => stream.end())
    })
    const sizes = await Promise.all(
      Array.from({ length: 1_000 }, async (_, at) => {
        const stream = client.request({ ':method': 'POST', ':path': `/${at}` })
        stream.end(Buffer.alloc(at * 40, 1))
        return (await drink(stream)).bytes
      }),
    )
    assert.deepEqual(
      sizes,
      Array.from({ length: 1_000 }, (_, at) => at * 40),
    )
    assert.equal(proxy.forwarder.finished, 1_000)
  })
})
