// gRPC's own interoperability tests (grpc/grpc doc/interop-test-descriptions.md): grpc-go's client against our server,
// directly and through the proxy, and our client against grpc-go's server, directly and through the proxy.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createServer, type RpcServer } from '../../src/rpc/index.ts'
import { selfSigned } from '../../src/rpc/testing/certificates.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { type ProxyProcess, startProxy, until } from '../proxy/proxy-process.ts'
import { clientCases } from './interop-client.ts'
import { testServiceOf } from './interop-service.ts'

const run = promisify(execFile)
const timeout = 30_000

/** Those of grpc-go that need no cloud; the soaks make 200 calls of 270 KB and 310 KB on one channel, and on 20. */
const outsiderCases = [
  ['empty_unary'],
  ['large_unary'],
  ['client_streaming'],
  ['server_streaming'],
  ['ping_pong'],
  ['empty_stream'],
  ['timeout_on_sleeping_server'],
  ['cancel_after_begin'],
  ['cancel_after_first_response'],
  ['status_code_and_message'],
  ['special_status_message'],
  ['unimplemented_method'],
  ['unimplemented_service'],
  ['custom_metadata'],
  ['pick_first_unary'],
  ['rpc_soak', '-soak_iterations=200', '-soak_num_threads=4'],
  ['channel_soak', '-soak_iterations=20'],
] as const

const folder = mkdtempSync(join(tmpdir(), 'synod-interop-'))
after(() => rmSync(folder, { recursive: true }))

/** A listener in plain text and one in TLS, both in front of the port. */
async function startProxyTo(port: number): Promise<ProxyProcess> {
  const { cert, key } = selfSigned('DNS:localhost,IP:127.0.0.1')
  writeFileSync(join(folder, 'cert.pem'), cert)
  writeFileSync(join(folder, 'key.pem'), key)
  return startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:
  - name: plain
    address: 127.0.0.1:0
    routes: [{ path: /, to: service }]
  - name: tls
    address: 127.0.0.1:0
    tls: { certificates: [{ cert: cert.pem, key: key.pem }] }
    routes: [{ path: /, to: service }]
upstreams:
  service: { protocol: http2, endpoints: ['127.0.0.1:${port}'] }
`,
  )
}

describe("grpc-go's interop client and our server", { skip: skipWithout('grpcInteropClient', 'openssl') }, () => {
  let server: RpcServer
  let proxy: ProxyProcess
  before(async () => {
    server = await createServer({ services: [testServiceOf('synod')] })
    proxy = await startProxyTo(server.address.port)
  })
  after(async () => {
    await proxy.kill()
    await server.close({ drainMs: 0 })
  })

  const tls = ['-use_tls', '-use_test_ca', `-ca_file=${join(folder, 'cert.pem')}`, '-server_host_override=localhost']
  const ways: readonly (readonly [string, () => number, readonly string[]])[] = [
    ['directly', () => server.address.port, []],
    ['through the proxy', () => proxy.port('plain'), []],
    ['through the proxy by TLS', () => proxy.port('tls'), tls],
  ]
  for (const [way, port, flags] of ways) {
    for (const [name, ...more] of outsiderCases) {
      it(`${name}, ${way}`, async () => {
        const args = ['-server_host=127.0.0.1', `-server_port=${port()}`, ...flags, `-test_case=${name}`, ...more]
        // It exits with 1, and says why, when a case fails.
        await run(requirePeer('grpcInteropClient'), args, { timeout })
      })
    }
  }
})

describe("our client and grpc-go's interop server", { skip: skipWithout('grpcInteropServer', 'openssl') }, () => {
  const stop: (() => Promise<unknown>)[] = []
  let direct = 0
  let proxy: ProxyProcess
  before(async () => {
    const outsider = spawn(requirePeer('grpcInteropServer'), ['-port=0'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, GRPC_GO_LOG_SEVERITY_LEVEL: 'info' },
    })
    const exited = once(outsider, 'exit')
    stop.push(async () => {
      outsider.kill('SIGKILL')
      await exited
    })
    let log = ''
    // Read to the end: a Go program whose log has no reader dies of it.
    outsider.stderr.on('data', (bytes: Buffer) => {
      log += bytes.toString()
    })
    await until('the server listens', () => log.includes('Server created'))
    direct = Number(/listening on \S*:(\d+)/.exec(log)![1])
    proxy = await startProxyTo(direct)
    stop.push(() => proxy.kill())
  })
  after(async () => {
    for (const one of stop.reverse()) await one()
  })

  for (const [way, port] of [
    ['directly', () => direct],
    ['through the proxy', () => proxy.port('plain')],
    ['through the proxy by TLS', () => proxy.port('tls')],
  ] as const) {
    for (const [name, runCase] of Object.entries(clientCases)) {
      it(`${name}, ${way}`, async () => {
        const tls = way.endsWith('TLS') ? { rejectUnauthorized: false } : undefined
        await runCase({ target: `127.0.0.1:${port()}`, tls, timeoutMs: timeout })
      })
    }
  }
})
