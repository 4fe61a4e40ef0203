/** HTTP/1.1 on one side and HTTP/2 on the other: both speak the exchange. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import http from 'node:http'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { skipWithout } from '../../../conformance/peers.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import type { DownstreamProtocol, EndpointPool } from '../http/index.ts'
import { Forwarder } from '../http/testing/forwarder.ts'
import { listen } from '../http/testing/listen.ts'
import { testLimits, testUpstream } from '../http/testing/settings.ts'
import { createHttp1Downstream, createHttp1Pool } from '../http1/index.ts'
import { createHttp2Downstream, createHttp2Pool } from './index.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })
const largeBytes = 3 << 20

async function serve(t: TestContext, server: http.Server | http2.Http2Server): Promise<number> {
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    request.on('end', () => {
      response.setHeader('x-got', `${request.method} ${bytes}`)
      response.end(request.url === '/large' ? Buffer.alloc(largeBytes, 'x') : 'hello')
    })
  }
  ;(server as http.Server).on('request', answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

async function addressOf(t: TestContext, downstream: DownstreamProtocol, pool: EndpointPool): Promise<string> {
  const { port, close } = await listen(runtime.network, downstream)
  t.after(async () => {
    pool.drain()
    await close()
  })
  return `http://127.0.0.1:${port}`
}

async function tryWithCurl(flag: string, address: string): Promise<void> {
  const curl = async (...args: string[]): Promise<string> => {
    const done = await promisify(execFile)('curl', ['-sS', flag, ...args], { timeout: 30_000, maxBuffer: 16 << 20 })
    return done.stdout
  }
  assert.match(await curl('-i', `${address}/`), /x-got: GET 0\r\n[\s\S]*hello$/)
  assert.match(await curl('-I', `${address}/`), / 200[\s\S]*x-got: HEAD 0/)
  assert.equal((await curl(`${address}/large`)).length, largeBytes)
  const body = 'y'.repeat(100_000)
  assert.match(await curl('-i', '-d', body, `${address}/`), /x-got: POST 100000/)
  const chunked = ['-H', 'Transfer-Encoding: chunked', '-d', body]
  assert.match(await curl('-i', ...chunked, `${address}/`), /x-got: POST 100000/)
}

it('HTTP/2 clients of an HTTP/1.1 server', { skip: skipWithout('curl') }, async (t) => {
  const port = await serve(t, http.createServer())
  const config = testUpstream({ protocol: 'http1' })
  const pool = createHttp1Pool({ ...runtime, host: '127.0.0.1', port, config })
  const downstream = createHttp2Downstream({ ...runtime, handler: new Forwarder(pool), limits: testLimits })
  await tryWithCurl('--http2-prior-knowledge', await addressOf(t, downstream, pool))
})

it('HTTP/1.1 clients of an HTTP/2 server', { skip: skipWithout('curl') }, async (t) => {
  const port = await serve(t, http2.createServer({ maxSessionMemory: 1_000 }))
  const pool = createHttp2Pool({ ...runtime, host: '127.0.0.1', port, config: testUpstream() })
  const downstream = createHttp1Downstream({ ...runtime, handler: new Forwarder(pool), limits: testLimits })
  await tryWithCurl('--http1.1', await addressOf(t, downstream, pool))
})
