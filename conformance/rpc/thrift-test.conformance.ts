// Apache Thrift's cross tests with Python on the other side, in both protocols and both transports: its client against our
// server, and our client against its server.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createThriftClient, createThriftServer } from '../../src/rpc/thrift/index.ts'
import { silentLogger } from '../../src/runtime/index.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { generateThriftTest, ThriftTest } from './thrift-test-service.ts'

describe("Thrift's cross tests", { skip: skipWithout('python', 'thrift') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-thrift-test-'))
  const script = join(import.meta.dirname, 'thrift-test.py')
  let suite: ThriftTest
  before(() => {
    generateThriftTest(folder)
    suite = new ThriftTest(folder)
  })
  after(() => rmSync(folder, { recursive: true }))

  for (const protocol of ['binary', 'compact'] as const) {
    for (const transport of ['framed', 'buffered'] as const) {
      it(`Python calls our server: ${protocol}, ${transport}`, async (t) => {
        const server = await createThriftServer({ logger: silentLogger, services: [suite.served()] })
        t.after(() => server.close({ drainMs: 0 }))
        const args = [script, folder, `${server.address.port}`, protocol, transport]
        await promisify(execFile)(requirePeer('python'), args, { timeout: 60_000 })
      })

      it(`we call Python's server: ${protocol}, ${transport}`, async (t) => {
        const args = [script, folder, 'server', protocol, transport]
        const python = spawn(requirePeer('python'), args, { stdio: ['ignore', 'pipe', 'ignore'] })
        t.after(async () => {
          python.kill('SIGKILL')
          if (python.exitCode === null && python.signalCode === null) await once(python, 'exit')
        })
        const [line] = (await once(python.stdout, 'data')) as [Buffer]
        const target = `127.0.0.1:${line.toString().trim()}`
        await using client = createThriftClient(suite.service(protocol), { target, framed: transport === 'framed' })
        await suite.check(client)
      })
    }
  }
})
