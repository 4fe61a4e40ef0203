import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it, type TestContext } from 'node:test'
import * as tls from 'node:tls'
import { describeNetworkContract } from '../contracts/index.ts'
import type { Address, CloseReason, Connection, Network } from '../index.ts'
import { createNodeRuntime } from './index.ts'
import { createTlsNetwork } from './tls-network.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-tls-'))
after(() => rmSync(folder, { recursive: true }))

/** A key and a certificate for `names`, signed by itself. */
function selfSigned(name: string, names: string): { readonly cert: Buffer; readonly key: Buffer } {
  const cert = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'pipe' })
  return { cert: readFileSync(cert), key: readFileSync(key) }
}

const local = selfSigned('local', 'IP:127.0.0.1,DNS:localhost')
const other = selfSigned('other', 'DNS:other.example')

describeNetworkContract('node with TLS', {
  async run(body) {
    const network = createTlsNetwork({ ...local, ca: local.cert })
    const { network: tcp } = createNodeRuntime({ logLevel: 'error' })
    const deadListener = await tcp.listen({ host: '127.0.0.1', port: 0 }, () => {})
    await deadListener.close()
    await body({ server: network, client: network, host: '127.0.0.1', deadAddress: deadListener.address })
  },
})

interface Outcome {
  readonly opened: boolean
  readonly reason: CloseReason
  readonly detail: string | undefined
}

/** Connects, says hello, and tells how that ended. */
function attempt(network: Network, address: Address): Promise<Outcome> {
  return new Promise((resolve) => {
    const connection: Connection = network.connect(address, { timeoutMs: 10_000 })
    let opened = false
    connection.setHandler({
      onOpen() {
        opened = true
        connection.write(Buffer.from('hello'))
      },
      onData: () => connection.end(),
      onEnd: () => connection.end(),
      onClose: (reason) => resolve({ opened, reason, detail: connection.closeDetail }),
    })
  })
}

/** A TLS server that answers what it hears. */
async function startEcho(t: TestContext, options: tls.TlsOptions): Promise<Address> {
  const server = tls.createServer({ ALPNProtocols: ['h2'], ...local, ...options }, (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { host: '127.0.0.1', port: address.port }
}

describe('TLS', () => {
  it('opens to a server whose certificate is trusted, also by another name', async (t) => {
    const address = await startEcho(t, {})
    assert.deepEqual(await attempt(createTlsNetwork({ ca: local.cert }), address), {
      opened: true,
      reason: 'ended',
      detail: undefined,
    })
    const named = await startEcho(t, other)
    const network = createTlsNetwork({ ca: other.cert, serverName: 'other.example' })
    assert.equal((await attempt(network, named)).opened, true)
  })

  it('never opens to one that is not, and says why', async (t) => {
    const address = await startEcho(t, {})
    const untrusted = await attempt(createTlsNetwork({}), address)
    assert.deepEqual([untrusted.opened, untrusted.reason], [false, 'reset'])
    assert.match(untrusted.detail!, /self-signed certificate/)
    const misnamed = await attempt(createTlsNetwork({ ca: other.cert }), await startEcho(t, other))
    assert.equal(misnamed.opened, false)
    assert.match(misnamed.detail!, /127\.0\.0\.1/)
    const careless = await attempt(createTlsNetwork({ rejectUnauthorized: false }), address)
    assert.equal(careless.opened, true)
  })

  it('shows its own certificate to a server that asks', async (t) => {
    const address = await startEcho(t, { requestCert: true, rejectUnauthorized: true, ca: other.cert })
    const shown = await attempt(createTlsNetwork({ ca: local.cert, ...other }), address)
    assert.equal(shown.reason, 'ended')
    const anonymous = await attempt(createTlsNetwork({ ca: local.cert }), address)
    assert.notEqual(anonymous.reason, 'ended')
  })

  it('refuses a server that speaks another protocol', async (t) => {
    const address = await startEcho(t, { ALPNProtocols: ['http/1.1'] })
    const refused = await attempt(createTlsNetwork({ ca: local.cert }), address)
    assert.deepEqual([refused.opened, refused.reason], [false, 'reset'])
    const silent = await startEcho(t, { ALPNProtocols: [] })
    const unnamed = await attempt(createTlsNetwork({ ca: local.cert }), silent)
    assert.equal(unnamed.opened, false)
    assert.match(unnamed.detail!, /h2/)
    assert.equal((await attempt(createTlsNetwork({ ca: local.cert, alpnProtocols: [] }), silent)).opened, true)
  })
})
