/** Tools of others in front of the proxy: h2spec, curl, nghttp. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { findPeer, skipWithout } from '../../../conformance/peers.ts'
import { startTestProxy, type TestProxy } from './testing.ts'

const run = promisify(execFile)
const limits = { timeout: 90_000, maxBuffer: 16 << 20 }

async function start(t: TestContext): Promise<TestProxy> {
  const server = http2.createServer({ maxSessionMemory: 1_000 }, (request, response) => {
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
    })
    request.on('end', () => {
      response.setHeader('x-body-bytes', String(bytes))
      response.end(request.url === '/large' ? Buffer.alloc(1 << 20, 'x') : 'hello\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const proxy = await startTestProxy({ endpointPort: (server.address() as AddressInfo).port })
  t.after(async () => {
    await proxy.close()
    server.close()
  })
  return proxy
}

describe('outsiders', () => {
  it('h2spec finds nothing: generic, http2 and hpack', { skip: skipWithout('h2spec') }, async (t) => {
    const { port } = await start(t)
    const { stdout } = await run(findPeer('h2spec')!.path, ['-h', '127.0.0.1', '-p', String(port), '-o', '5'], limits)
    assert.match(stdout, /\d{3} tests, \d{3} passed, 0 skipped, 0 failed/)
  })

  it('curl, by prior knowledge: GET, POST, HEAD, large bodies', { skip: skipWithout('curl') }, async (t) => {
    const { port } = await start(t)
    const curl = async (...args: string[]): Promise<string> => {
      const all = ['-sS', '--http2-prior-knowledge', ...args, `http://127.0.0.1:${port}/large`]
      return (await run('curl', all, limits)).stdout
    }
    assert.equal((await curl()).length, 1 << 20)
    const upload = 'y'.repeat(100_000)
    assert.match(await curl('-D', '-', '-o', '/dev/null', '-d', upload), /x-body-bytes: 100000/)
    assert.match(await curl('-I'), /^HTTP\/2 200/)
    assert.equal(await curl('-o', '/dev/null', '-w', '%{http_code}', '-X', 'PURGE'), '200')
  })

  it('nghttp: many requests, a small window, no header table', { skip: skipWithout('nghttp') }, async (t) => {
    const { port } = await start(t)
    const address = `http://127.0.0.1:${port}/large`
    const args = ['-ns', '-m', '20', '-w', '12', '-W', '14', '--header-table-size=0', '--trailer', 'x-end: yes']
    const { stdout } = await run(findPeer('nghttp')!.path, [...args, '-d', '/etc/hostname', address], limits)
    assert.equal(stdout.match(/ 200 .*\/large/g)?.length, 20)
  })
})
