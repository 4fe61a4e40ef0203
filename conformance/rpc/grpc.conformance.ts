// gRPC with outsiders on the other side: Python's grpc, client and server, and grpcurl, which knows a server only by its
// reflection. The Python code is generated here.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createClient, createServer, type Metadata, RpcError, type RpcServer } from '../../src/rpc/index.ts'
import { orders, ordersOf } from '../../src/rpc/testing/orders-service.ts'
import { requirePeer, skipWithout } from '../peers.ts'

const here = import.meta.dirname
const run = promisify(execFile)
const timeout = 30_000

describe('gRPC and Python', { skip: skipWithout('python') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-grpc-'))
  before(() => {
    const protos = join(here, '../../src/rpc/grpc/testing')
    const out = [`--python_out=${folder}`, `--grpc_python_out=${folder}`]
    execFileSync(requirePeer('python'), ['-m', 'grpc_tools.protoc', `-I${protos}`, ...out, 'orders.proto'])
  })
  after(() => rmSync(folder, { recursive: true }))

  it('Python calls our server', async () => {
    await using server = await createServer({ services: [ordersOf('a')] })
    const args = [join(here, 'grpc-client.py'), folder, String(server.address.port)]
    const { stdout } = await run(requirePeer('python'), args, { timeout })
    assert.deepEqual(JSON.parse(stdout), {
      unary: ['book-1', 'a'],
      metadata: ['some text', '00ff01', 'some text', '00ff01'],
      listed: [100, 2_000_000],
      uploaded: [100, 2_000_000],
      chat: ['A', 'B'],
      big: true,
      error: ['FAILED_PRECONDITION', 'no such item: 100 % ✗', 'sold out'],
      deadline: 'DEADLINE_EXCEEDED',
      cancelled: true,
    })
  })

  it('our client calls a server of Python, which answers in gzip', async () => {
    const python = spawn(requirePeer('python'), [join(here, 'grpc-server.py'), folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    try {
      const [line] = (await once(python.stdout, 'data')) as [Buffer]
      await using client = createClient(orders, { target: `127.0.0.1:${Number(line)}` })
      const got: Metadata[] = []
      const told = (one: Metadata): number => got.push(one)
      const metadata = { 'x-echo': 'some text', 'x-echo-bin': Uint8Array.of(0, 255, 1) }
      const note = new Uint8Array(100_000)
      const placed = await client.placeOrder({ item: 'book', note }, { metadata, onHeaders: told, onTrailers: told })
      assert.deepEqual([placed.id, placed.servedBy, placed.note.length], ['book-1', 'python', 100_000])
      const [head, trailers] = got
      assert.equal(head?.get('x-head'), 'some text')
      assert.deepEqual(Buffer.from(trailers?.get('x-trailer-bin') as Uint8Array), Buffer.of(0, 255, 1))

      let bytes = 0
      for await (const one of client.listOrders({ count: 100, noteBytes: 20_000 })) bytes += one.note.length
      assert.equal(bytes, 2_000_000)
      const uploaded = await client.upload(Array.from({ length: 100 }, () => ({ note: new Uint8Array(20_000) })))
      assert.deepEqual([uploaded.count, uploaded.bytes], [100, 2_000_000n])
      const items: string[] = []
      for await (const { item } of client.chat([{ item: 'a' }, { item: 'b' }])) items.push(item)
      assert.deepEqual(items, ['A', 'B'])

      const failed = await client.placeOrder({ item: 'fail' }).catch((error: unknown) => error)
      assert.ok(failed instanceof RpcError)
      assert.deepEqual([failed.code, failed.message], ['FAILED_PRECONDITION', 'no such item: 100 % ✗'])
      assert.equal(failed.metadata.get('x-why'), 'sold out')
      const late = await client.placeOrder({ item: 'wait' }, { timeoutMs: 50 }).catch((error: unknown) => error)
      assert.equal((late as RpcError).code, 'DEADLINE_EXCEEDED')
    } finally {
      python.stdin.end()
      await once(python, 'exit')
    }
  })
})

describe('gRPC and grpcurl', { skip: skipWithout('grpcurl') }, () => {
  let server: RpcServer
  before(async () => {
    server = await createServer({ services: [ordersOf('a')] })
  })
  after(() => server.close({ drainMs: 0 }))

  const grpcurl = async (...args: string[]): Promise<string> => {
    const [first = '', ...rest] = args
    const address = `127.0.0.1:${server.address.port}`
    const all = first.startsWith('-') ? ['-plaintext', ...args.slice(0, 2), address, ...args.slice(2)] : undefined
    const { stdout } = await run(requirePeer('grpcurl'), all ?? ['-plaintext', address, first, ...rest], { timeout })
    return stdout
  }

  it('lists and describes what is served', async () => {
    const own = [
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
    ]
    assert.deepEqual((await grpcurl('list')).trim().split('\n'), [...own, 'synod.testing.v1.Orders'])
    assert.match(await grpcurl('describe', 'grpc.health.v1.HealthCheckResponse.ServingStatus'), /NOT_SERVING = 2/)
    assert.match(await grpcurl('describe', own[1]!), /rpc ServerReflectionInfo \( stream .*returns \( stream/)
    const described = await grpcurl('describe', 'synod.testing.v1.Orders')
    assert.match(described, /rpc Chat \( stream \.synod\.testing\.v1\.Order \) returns \( stream \.synod/)
    assert.match(await grpcurl('describe', 'synod.testing.v1.Order'), /string item = 2/)
  })

  it('calls by reflection', async () => {
    const placed = await grpcurl('-d', '{"item": "book"}', 'synod.testing.v1.Orders/PlaceOrder')
    assert.deepEqual(JSON.parse(placed), { id: 'book-1', servedBy: 'a' })
    const chat = await grpcurl('-d', '{"item": "a"} {"item": "b"}', 'synod.testing.v1.Orders/Chat')
    assert.deepEqual(chat.match(/"item": "."/g), ['"item": "A"', '"item": "B"'])
    const failed = await grpcurl('-d', '{"item": "fail"}', 'synod.testing.v1.Orders/PlaceOrder').catch(
      ({ stderr }: { readonly stderr: string }) => stderr,
    )
    assert.match(failed, /Code: FailedPrecondition[\s\S]*no such item: 100 % ✗/)
  })

  it('asks for health', async () => {
    const check = async (service: string): Promise<string> => {
      const address = `127.0.0.1:${server.address.port}`
      const args = ['-plaintext', '-d', JSON.stringify({ service }), address, 'grpc.health.v1.Health/Check']
      return run(requirePeer('grpcurl'), args, { timeout }).then(
        ({ stdout }) => (JSON.parse(stdout) as { status: string }).status,
        ({ stderr }: { readonly stderr: string }) => stderr,
      )
    }
    assert.equal(await check(''), 'SERVING')
    assert.equal(await check('synod.testing.v1.Orders'), 'SERVING')
    server.setHealth('synod.testing.v1.Orders', false)
    assert.equal(await check('synod.testing.v1.Orders'), 'NOT_SERVING')
    assert.equal(await check(''), 'SERVING')
    assert.match(await check('nobody'), /NotFound/)
  })
})
