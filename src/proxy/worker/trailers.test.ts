/** Trailers of a server that speaks HTTP/2, to clients of both versions, through a real worker. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { startOnMachine } from './testing/worker-on-machine.ts'

const body = 'hello'

/** Answers `/length` with a content-length, `/announced` with a `trailer` field too, anything else with neither. */
function server(): http2.Http2Server {
  return http2.createServer().on('stream', (stream, fields) => {
    const path = fields[':path']
    const length = path === '/plain' ? {} : { 'content-length': body.length }
    const trailer = path === '/announced' ? { trailer: 'x-sum' } : {}
    stream.respond({ ':status': 200, ...length, ...trailer }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '5' }))
    stream.end(body)
  })
}

async function proxyTo(t: TestContext, upstream: http2.Http2Server): Promise<number> {
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.after(() => upstream.close())
  const worker = await startOnMachine(`
listeners: [{ name: web, address: '127.0.0.1:0', routes: [{ path: /, to: app }] }]
upstreams: { app: { endpoints: ['127.0.0.1:${(upstream.address() as AddressInfo).port}'], protocol: http2 } }
`)
  t.after(() => worker.stop())
  return worker.view().listeners[0]!.port
}

interface Answer {
  readonly length: string | undefined
  readonly framing: string | undefined
  readonly body: string
  readonly trailer: string | undefined
}

function ask(options: http.RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', ...options }, (response) => {
      let text = ''
      response.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
      response.on('end', () =>
        resolve({
          length: response.headers['content-length'],
          framing: response.headers['transfer-encoding'],
          body: text,
          trailer: response.trailers['x-sum'],
        }),
      )
    })
    request.on('error', reject)
  })
}

describe('trailers of an HTTP/2 server', () => {
  it('reach an HTTP/1.1 client behind a chunked body, and are left out behind a length', async (t) => {
    const port = await proxyTo(t, server())
    // One connection: what is left out leaves nothing behind.
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const get = (path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Answer> =>
      ask({ port, path, agent, headers })
    const trailers = { te: 'trailers', connection: 'te, keep-alive' }
    const chunked = { length: undefined, framing: 'chunked', body, trailer: '5' }
    const plain = { length: '5', framing: undefined, body, trailer: undefined }
    assert.deepEqual(await get('/plain'), chunked)
    assert.deepEqual(await get('/length'), plain)
    assert.deepEqual(await get('/length', trailers), plain)
    assert.deepEqual(await get('/announced'), plain)
    assert.deepEqual(await get('/announced', trailers), chunked)
    assert.deepEqual(await get('/announced'), plain)
  })

  it('reach an HTTP/2 client whatever the answer says of its length', async (t) => {
    const session = http2.connect(`http://127.0.0.1:${await proxyTo(t, server())}`)
    t.after(() => session.close())
    for (const path of ['/plain', '/length', '/announced']) {
      const stream = session.request({ ':path': path, te: 'trailers' })
      let trailer: unknown
      stream.on('trailers', (fields) => {
        trailer = fields['x-sum']
      })
      let text = ''
      for await (const bytes of stream) text += String(bytes)
      assert.deepEqual([path, text, trailer], [path, body, '5'])
    }
  })
})
