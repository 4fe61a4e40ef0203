/** A real curl asks a real worker about the server as a whole. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { it } from 'node:test'
import { promisify } from 'node:util'
import { startOnMachine } from './testing/worker-on-machine.ts'

const run = promisify(execFile)
const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
)

it('curl --request-target * reaches the server as *', { skip: hasCurl ? false : 'no curl here' }, async (t) => {
  const server = http.createServer(({ method, url }, response) => {
    response.writeHead(200, { allow: 'GET, OPTIONS' }).end(`${method} ${url}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const worker = await startOnMachine(`
listeners: [{ name: web, address: '127.0.0.1:0', routes: [{ path: /, to: app }] }]
upstreams: { app: { endpoints: ['127.0.0.1:${(server.address() as AddressInfo).port}'] } }
`)
  t.after(() => worker.stop())
  const url = `http://127.0.0.1:${worker.view().listeners[0]!.port}`
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    const args = ['-sS', '-X', 'OPTIONS', '--request-target', '*', version, '-w', ' %{http_code} %header{allow}', url]
    assert.equal((await run('curl', args, { timeout: 10_000 })).stdout, 'OPTIONS * 200 GET, OPTIONS', version)
  }
})
