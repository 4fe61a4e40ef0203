import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { createTlsNetwork } from '../../runtime/node/index.ts'
import { call, openChannel, reached } from './testing.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-grpc-tls-'))
after(() => rmSync(folder, { recursive: true }))

const certFile = join(folder, 'server.pem')
const keyFile = join(folder, 'server.key')
const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
const subject = ['-subj', '/CN=server', '-addext', 'subjectAltName=IP:127.0.0.1']
execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', keyFile, '-out', certFile, ...subject], { stdio: 'pipe' })
const cert = readFileSync(certFile)
const key = readFileSync(keyFile)

describe('a channel over TLS', () => {
  it('calls a @grpc/grpc-js server that it trusts, and says why it does not trust one', async (t) => {
    const server = new grpc.Server()
    const asIs = (bytes: Buffer): Buffer => bytes
    const method = {
      path: '/test.Echo/Unary',
      requestStream: false,
      responseStream: false,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    }
    server.addService(
      { unary: method },
      {
        unary: (one: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) =>
          reply(null, one.request),
      },
    )
    const credentials = grpc.ServerCredentials.createSsl(null, [{ cert_chain: cert, private_key: key }])
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)))
    })
    t.after(() => server.forceShutdown())
    const address = { host: '127.0.0.1', port }
    const trusting = openChannel(t, address, { secure: true }, { network: createTlsNetwork({ ca: cert }) })
    const large = Buffer.alloc(1 << 20, 'tls')
    for (const request of [Buffer.from('hello'), large]) {
      const reply = await call(trusting, '/test.Echo/Unary', request)
      assert.ok(reply.ok && request.equals(reply.message))
    }
    const strict = openChannel(t, address, { secure: true }, { network: createTlsNetwork({}) })
    await reached(strict, 'failed')
    assert.match(strict.failure!, /self-signed certificate/)
  })
})
