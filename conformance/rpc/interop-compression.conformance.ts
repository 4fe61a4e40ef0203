// Compression chosen message by message, by gRPC's own interoperability tests (grpc/grpc doc/interop-test-descriptions.md):
// our client and our server, grpc-java's client and our server, each directly and through the proxy, and what grpc-java's
// and Python's servers have of it.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { cameCompressed, grpcServerTransport } from '../../src/rpc/grpc/index.ts'
import { createClient, createServer, type RpcServer } from '../../src/rpc/index.ts'
import { orders } from '../../src/rpc/testing/orders-service.ts'
import { freePorts } from '../faults/layout.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { type ProxyProcess, startProxy, until } from '../proxy/proxy-process.ts'
import { clientCases, compressionCases } from './interop-client.ts'
import { testServiceOf } from './interop-service.ts'

const run = promisify(execFile)
const timeout = 30_000
const outsiderCases = [
  'client_compressed_unary',
  'client_compressed_unary_noprobe',
  'server_compressed_unary',
  'client_compressed_streaming',
  'client_compressed_streaming_noprobe',
  'server_compressed_streaming',
]

const folder = mkdtempSync(join(tmpdir(), 'synod-interop-'))
after(() => rmSync(folder, { recursive: true }))

describe('our server, which compresses what is asked for', () => {
  let server: RpcServer
  let proxy: ProxyProcess
  before(async () => {
    const transport = grpcServerTransport({ compression: 'gzip', compressFromBytes: Number.POSITIVE_INFINITY })
    server = await createServer({ services: [testServiceOf('synod')], transport })
    const listener = `{ name: plain, address: '127.0.0.1:0', routes: [{ path: /, to: service }] }`
    const upstream = `{ protocol: http2, endpoints: ['127.0.0.1:${server.address.port}'] }`
    proxy = await startProxy(
      folder,
      `admin: 127.0.0.1:0\nlisteners: [${listener}]\nupstreams: { service: ${upstream} }\n`,
    )
  })
  after(async () => {
    await proxy.kill()
    await server.close({ drainMs: 0 })
  })

  for (const [way, port] of [
    ['directly', () => server.address.port],
    ['through the proxy', () => proxy.port('plain')],
  ] as const) {
    for (const [name, runCase] of Object.entries(compressionCases)) {
      it(`our client, ${name}, ${way}`, async () => {
        await runCase({ target: `127.0.0.1:${port()}`, timeoutMs: timeout })
      })
    }
    for (const name of outsiderCases) {
      it(`grpc-java's client, ${name}, ${way}`, { skip: skipWithout('grpcJavaInteropClient') }, async () => {
        const args = ['--server_host=127.0.0.1', `--server_port=${port()}`, '--use_tls=false', `--test_case=${name}`]
        // It exits with 1, and says why, when a case fails.
        const { stdout } = await run(requirePeer('grpcJavaInteropClient'), args, { timeout })
        assert.match(stdout, /Test completed/)
      })
    }
  }
})

describe("our client and grpc-java's interop server", { skip: skipWithout('grpcJavaInteropServer') }, () => {
  // It pays no heed to `expect_compressed`, and its streams are compressed whole or not at all.
  const cases = { ...clientCases, server_compressed_unary: compressionCases['server_compressed_unary']! }
  let stop: () => Promise<unknown>
  let port = 0
  before(async () => {
    // Told 0, it does not say which port it got.
    ;[port] = (await freePorts(1)) as [number]
    const outsider = spawn(requirePeer('grpcJavaInteropServer'), [`--port=${port}`, '--use_tls=false'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const exited = once(outsider, 'exit')
    stop = async () => {
      outsider.kill('SIGKILL')
      await exited
    }
    let log = ''
    outsider.stdout.on('data', (bytes: Buffer) => {
      log += bytes.toString()
    })
    await until('the server listens', () => log.includes('Server started'))
  })
  after(() => stop())

  for (const [name, runCase] of Object.entries(cases)) {
    it(name, async () => {
      await runCase({ target: `127.0.0.1:${port}`, timeoutMs: timeout })
    })
  }
})

describe("our client and Python's server, which compresses every other message", {
  skip: skipWithout('python'),
}, () => {
  it('sees which came compressed', async () => {
    const protos = join(import.meta.dirname, '../../src/rpc/grpc/testing')
    const out = [`--python_out=${folder}`, `--grpc_python_out=${folder}`]
    execFileSync(requirePeer('python'), ['-m', 'grpc_tools.protoc', `-I${protos}`, ...out, 'orders.proto'])
    const program = join(import.meta.dirname, 'grpc-server.py')
    const python = spawn(requirePeer('python'), [program, folder, 'every-other'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(python.stdout, 'data')) as [Buffer]
      await using client = createClient(orders, { target: `127.0.0.1:${Number(line)}` })
      const seen: boolean[] = []
      for await (const one of client.listOrders({ count: 6, noteBytes: 5_000 })) {
        assert.equal(one.note.length, 5_000)
        seen.push(cameCompressed(one))
      }
      assert.deepEqual(seen, [true, false, true, false, true, false])
    } finally {
      python.stdin.end()
      await once(python, 'exit')
    }
  })
})
