/** Against a real peer, `node:http2`, on a real socket. */
import assert from 'node:assert/strict'
import http2 from 'node:http2'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { Http2ServerConnection } from './http2-server-connection.ts'
import type { Http2Stream } from './http2-stream.ts'
import { OutputArena } from './output-arena.ts'

test('header lists arrive as node:http2 sent them, and go back the same', async (t) => {
  const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
  const arena = new OutputArena()
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    const handler = (owner: Http2ServerConnection) => ({
      onStream(stream: Http2Stream) {
        const echoed = stream.head.fields.filter((field) => field.name.startsWith('x-'))
        const fields = echoed.map((field) => [field.name, field.value] as const)
        stream.sendHeaders(owner.encoder.template([[':status', '200'], ...fields]), true)
        return { onData() {}, onReset() {}, onDrain() {} }
      },
      onClosed() {},
    })
    connection.setHandler(new Http2ServerConnection({ connection, scheduler, clock, arena, handler }))
  })
  const session = http2.connect(`http://127.0.0.1:${listener.address.port}`)
  t.after(async () => {
    session.destroy()
    await listener.close()
  })
  const anyName = fc
    .string({ unit: fc.constantFrom(...'abcz09-_'), minLength: 1, maxLength: 30 })
    .map((name) => `x-${name}`)
  const anyValue = fc.string({ unit: 'grapheme-ascii', maxLength: 300 }).map((value) => value.trim())
  await fc.assert(
    fc.asyncProperty(fc.dictionary(anyName, anyValue, { maxKeys: 20, noNullPrototype: true }), async (headers) => {
      const stream = session.request({ ':path': '/', ...headers })
      const received = await new Promise<http2.IncomingHttpHeaders>((resolve, reject) => {
        stream.on('response', resolve)
        stream.on('error', reject)
      })
      const echoed = Object.fromEntries(Object.entries(received).filter(([name]) => name.startsWith('x-')))
      assert.deepEqual(echoed, headers)
      stream.close()
    }),
    { numRuns: 300 },
  )
})
