// Thrift with Python on the other side: its client against our server, and our client against its server. The code of
// both is generated here by Debian's compiler.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createThriftClient, createThriftServer, implementThrift } from '../../src/rpc/thrift/index.ts'
import { compactInventory, inventory, types } from '../../src/rpc/thrift/testing/inventory.ts'
import { silentLogger } from '../../src/runtime/index.ts'
import { requirePeer, skipWithout } from '../peers.ts'

const here = import.meta.dirname
const skip = skipWithout('python', 'thrift')

describe('Thrift and Python', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-thrift-'))
  before(() => {
    const definition = join(here, '../../src/rpc/thrift/testing/inventory.thrift')
    execFileSync(requirePeer('thrift'), ['--gen', 'py', '-out', folder, definition])
  })
  after(() => rmSync(folder, { recursive: true }))

  for (const protocol of ['binary', 'compact'] as const) {
    for (const transport of ['framed', 'buffered'] as const) {
      for (const service of ['-', 'Inventory']) {
        const kind = `${protocol}, ${transport}${service === '-' ? '' : ', multiplexed'}`
        it(`Python calls our server: ${kind}`, async (t) => {
          const touched: string[] = []
          const server = await createThriftServer({
            logger: silentLogger,
            services: [
              implementThrift(inventory, {
                get: ([sku]) => {
                  if (sku === 'broken') throw new Error('a secret')
                  return new types.Item({ sku, stock: 7, tags: ['grün'], updated: 5 as never })
                },
                reserve: ([sku, quantity]) => {
                  if (quantity > 7) throw new types.OutOfStock({ sku, message: 'only 7' })
                  return 7 - quantity
                },
                all: () => ['a', 'b'].map((sku) => new types.Item({ sku, stock: 1, updated: 5 as never })),
                touch: ([sku]) => void touched.push(sku),
                forget: ([sku]) => void touched.push(sku),
              }),
            ],
          })
          t.after(() => server.close({ drainMs: 0 }))
          const args = [join(here, 'thrift-client.py'), folder, `${server.address.port}`, protocol, transport, service]
          const { stdout } = await promisify(execFile)(requirePeer('python'), args)
          const { failure, ...seen } = JSON.parse(stdout) as Record<string, unknown>
          assert.deepEqual(seen, {
            item: ['apple', 7, ['grün'], 5],
            left: 4,
            exception: ['apple', 'only 7'],
            all: ['a', 'b'],
          })
          assert.match(String(failure), /^UNKNOWN: /)
          assert.doesNotMatch(String(failure), /secret/)
          assert.deepEqual(touched, ['x', 'y'])
        })
      }

      it(`we call Python's server: ${protocol}, ${transport}`, async (t) => {
        const args = [join(here, 'thrift-server.py'), folder, protocol, transport]
        const python = spawn(requirePeer('python'), args, { stdio: ['ignore', 'pipe', 'inherit'] })
        t.after(async () => {
          python.kill('SIGKILL')
          if (python.exitCode === null && python.signalCode === null) await once(python, 'exit')
        })
        const [line] = (await once(python.stdout, 'data')) as [Buffer]
        const service = protocol === 'binary' ? inventory : compactInventory
        const target = `127.0.0.1:${line.toString().trim()}`
        await using client = createThriftClient(service, { target, framed: transport === 'framed' })
        const item = await client.get(['pear'])
        assert.deepEqual([item.sku, item.stock, item.tags, Number(item.updated)], ['pear', 3, ['python'], 2 ** 40])
        assert.equal(await client.reserve(['pear', 1]), 2)
        await assert.rejects(client.reserve(['pear', 4]), (error) => error instanceof types.OutOfStock)
        assert.equal((await client.all([])).length, 1_000)
        await client.touch(['pear'])
        await client.forget(['pear'])
        const many = await Promise.all(Array.from({ length: 100 }, (_, n) => client.reserve(['pear', n % 4])))
        assert.equal(many.length, 100)
      })
    }
  }
})
