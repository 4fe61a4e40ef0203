// Suites and clients of others at the real proxy, in plain text and in TLS: h2spec in its strict mode, and what curl does where
// HTTP leaves a choice that clients are known to stumble over.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { selfSigned } from '../../src/rpc/testing/certificates.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { type ProxyProcess, startProxy } from './proxy-process.ts'

const run = promisify(execFile)
const limits = { timeout: 60_000, maxBuffer: 16 << 20 }

describe('outsiders at the proxy', { skip: skipWithout('h2spec', 'curl', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-outsiders-'))
  const upload = join(folder, 'upload')
  const server = http.createServer((request, response) => {
    // Answers at once; of the body it takes nothing.
    if (request.url === '/refuse') response.writeHead(413).end('too much')
    else request.resume().on('end', () => response.end('hello\n'))
  })
  let proxy: ProxyProcess
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { cert, key } = selfSigned('DNS:localhost,IP:127.0.0.1')
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'key.pem'), key)
    writeFileSync(upload, Buffer.alloc(3_000_000, 'u'))
    proxy = await startProxy(
      folder,
      `
admin: 127.0.0.1:0
listeners:
  - name: plain
    address: 127.0.0.1:0
    routes: [{ path: /, to: app }]
  - name: tls
    address: 127.0.0.1:0
    tls: { certificates: [{ cert: cert.pem, key: key.pem }] }
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${(server.address() as AddressInfo).port}'] }
`,
    )
  })
  after(async () => {
    await proxy.kill()
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })

  for (const [listener, flags] of [
    ['plain', []],
    ['tls', ['-t', '-k']],
  ] as const) {
    it(`h2spec finds nothing, strictly: ${listener}`, async () => {
      const args = ['-h', '127.0.0.1', '-p', String(proxy.port(listener)), '-S', '-o', '5', ...flags]
      // It exits with 1 when a case fails.
      const { stdout } = await run(requirePeer('h2spec'), args, limits)
      assert.match(stdout, /14\d tests, 14\d passed, 0 skipped, 0 failed/)
    })
  }

  const curl = async (url: string, ...args: string[]): Promise<string> => {
    const all = ['-sSk', '-o', join(folder, 'answer'), '-w', '%{http_version} %{http_code}', ...args, url]
    return (await run(requirePeer('curl'), all, limits)).stdout
  }

  it('HTTP/1.0 over TLS, from a client that offers nothing else by ALPN', async () => {
    assert.equal(await curl(`https://127.0.0.1:${proxy.port('tls')}/`, '--http1.0'), '1.1 200')
  })

  it('an answer that comes before the end of an upload is read: by the length, by its bytes, and from the server', async () => {
    const [plain, tls] = [`http://127.0.0.1:${proxy.port('plain')}`, `https://127.0.0.1:${proxy.port('tls')}`]
    for (const [base, kind, version] of [
      [plain, '--http1.1', '1.1'],
      [plain, '--http2-prior-knowledge', '2'],
      [tls, '--http2', '2'],
    ] as const) {
      for (const path of ['/', '/refuse']) {
        for (const form of [[], ['-H', 'content-length:', '-H', 'transfer-encoding: chunked']]) {
          const seen = await curl(base + path, kind, '-H', 'expect:', '-T', upload, ...form)
          assert.equal(seen, `${version} 413`, [kind, path, ...form].join(' '))
        }
      }
    }
  })
})
