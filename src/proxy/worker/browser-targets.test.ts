/** What browsers leave in a query as it is reaches the server; in a path, where servers disagree on it, it does not. */
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

it('takes targets and hosts as browsers and the grammar have them', {
  skip: hasCurl ? false : 'no curl here',
}, async (t) => {
  const server = http.createServer(({ url, headers }, response) => response.end(`${url} at ${headers.host}`))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const worker = await startOnMachine(`
listeners:
  - name: web
    address: '127.0.0.1:0'
    routes: [{ host: shop.example, path: /, to: app }, { respond: 404 }]
upstreams: { app: { endpoints: ['127.0.0.1:${(server.address() as AddressInfo).port}'] } }
`)
  t.after(() => worker.stop())
  const url = `http://127.0.0.1:${worker.view().listeners[0]!.port}`
  const ask = async (version: string, target: string, host: string): Promise<string> => {
    const args = ['-sS', version, '--request-target', target, '-H', `Host: ${host}`, '-w', ' %{http_code}', url]
    return (await run('curl', args, { timeout: 10_000 })).stdout
  }
  const query = '/files?path=C:\\x&f={a|b}^[]&tick=`'
  for (const version of ['--http1.1', '--http2-prior-knowledge']) {
    assert.equal(await ask(version, query, 'shop.example'), `${query} at shop.example 200`, version)
    assert.match(await ask(version, '/files\\x', 'shop.example'), /path is malformed\n 400$/, version)
    // RFC 3986 §3.2.3: a port may lack its digits.
    assert.equal(await ask(version, '/', 'shop.example:'), '/ at shop.example: 200', version)
  }
})
