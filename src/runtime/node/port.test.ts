import assert from 'node:assert/strict'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as tls from 'node:tls'
import type { Connection, ConnectionOrigin, PortSettings, Preamble, TlsServerSettings } from '../index.ts'
import { createPortOpener } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-port-'))
after(() => rmSync(folder, { recursive: true }))

function selfSigned(name: string): { readonly cert: string; readonly key: string } {
  const cert = join(folder, `${name}.pem`)
  const key = join(folder, `${name}.key`)
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'pipe' })
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
}

const one = selfSigned('one.example')
const two = selfSigned('two.example')
const opener = createPortOpener()
const loopback = { host: '127.0.0.1', port: 0 }

interface Seen {
  readonly origins: ConnectionOrigin[]
  readonly refusals: string[]
  readonly settings: PortSettings
}

/** Settings for a port that answers every piece of bytes with the same. */
function echoing(changes: Partial<PortSettings> = {}): Seen {
  const origins: ConnectionOrigin[] = []
  const refusals: string[] = []
  const settings: PortSettings = {
    connectionsMax: 100,
    preamble: undefined,
    tls: undefined,
    onConnection(connection: Connection, origin) {
      origins.push(origin)
      connection.setHandler({
        onData: (bytes) => connection.write(bytes),
        onEnd: () => connection.end(),
        onClose() {},
      })
    },
    onRefused: (refusal, _remote, detail) => refusals.push(`${refusal}: ${detail}`),
    ...changes,
  }
  return { origins, refusals, settings }
}

function tlsSettings(changes: Partial<TlsServerSettings> = {}): TlsServerSettings {
  return {
    certificates: [one, two],
    choose: (serverName) => (serverName === 'two.example' ? 1 : 0),
    minVersion: 'TLSv1.2',
    clientCa: undefined,
    clientCertificate: 'none',
    alpnProtocols: ['h2', 'http/1.1'],
    ticketKeys: Buffer.alloc(48, 7),
    handshakeTimeoutMs: 10_000,
    ...changes,
  }
}

const line: Preamble = {
  bytesMax: 16,
  timeoutMs: 10_000,
  isFrom: () => true,
  read(bytes) {
    const at = Buffer.from(bytes).indexOf('\n')
    if (bytes[0] === 33) return { type: 'refuse', reason: 'begins with !' }
    if (at < 0) return { type: 'more' }
    return { type: 'done', lengthBytes: at + 1, source: { host: '192.0.2.1', port: 7 }, destination: undefined }
  },
}

/** Sends `text` and reads all until the end. */
async function say(socket: net.Socket, text: string): Promise<string> {
  let answer = ''
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  if (text !== '') socket.end(text)
  // `once` would reject at the error that a refused handshake ends in.
  await new Promise((resolve) => socket.on('close', resolve))
  return answer
}

function secure(port: number, options: tls.ConnectionOptions = {}): tls.TLSSocket {
  return tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
}

test('both ends of a connection are told, and connections are counted', async () => {
  const { origins, settings } = echoing()
  const port = await opener.open(loopback, settings)
  const socket = net.connect(port.address)
  assert.equal(await say(socket, 'hello'), 'hello')
  assert.deepEqual(origins[0]!.local, port.address)
  assert.equal(origins[0]!.remote.host, '127.0.0.1')
  port.close()
})

test('past connectionsMax a connection is closed at once', async () => {
  const { refusals, settings } = echoing({ connectionsMax: 1 })
  const port = await opener.open(loopback, settings)
  const first = net.connect(port.address)
  first.write('x')
  await once(first, 'data')
  assert.equal(await say(net.connect(port.address), ''), '')
  assert.match(refusals[0]!, /too-many/)
  assert.equal(await say(first, 'y'), 'y')
  port.close()
})

test('a preamble in pieces is taken off, and its addresses are believed', async () => {
  const { origins, refusals, settings } = echoing({ preamble: line })
  const port = await opener.open(loopback, settings)
  const socket = net.connect({ ...port.address, noDelay: true })
  await once(socket, 'connect')
  for (const piece of ['a', 'b', 'c\nrest']) {
    socket.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(await say(socket, '!'), 'rest!')
  assert.deepEqual(origins[0]!.remote, { host: '192.0.2.1', port: 7 })
  assert.equal(await say(net.connect(port.address), '!'), '')
  assert.equal(await say(net.connect(port.address), 'never ends, never ends'), '')
  assert.equal(await say(net.connect(port.address), 'cut'), '')
  assert.deepEqual(
    refusals.map((text) => text.split(': ')[1]),
    ['begins with !', 'longer than 16 bytes', 'the connection ended within it'],
  )
  port.reconfigure({ ...settings, preamble: { ...line, isFrom: () => false } })
  assert.equal(await say(net.connect(port.address), 'x\n'), '')
  assert.match(refusals[3]!, /may not send/)
  port.close()
})

test('TLS: certificate by name, ALPN, and a preamble before the handshake in one piece with it', async () => {
  const { origins, settings } = echoing({ tls: tlsSettings(), preamble: line })
  const port = await opener.open(loopback, settings)
  const raw = net.connect(port.address)
  raw.write('me\n')
  const socket = tls.connect({
    socket: raw,
    servername: 'two.example',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
  })
  await once(socket, 'secureConnect')
  assert.equal(socket.getPeerCertificate().subject.CN, 'two.example')
  assert.equal(await say(socket, 'secret'), 'secret')
  const { remote, tls: session } = origins[0]!
  assert.equal(remote.host, '192.0.2.1')
  assert.deepEqual([session!.version, session!.serverName, session!.alpnProtocol], ['TLSv1.3', 'two.example', 'h2'])
  port.close()
})

test('new certificates serve new handshakes; open connections go on; bad ones change nothing', async () => {
  const { settings } = echoing({ tls: tlsSettings({ certificates: [one], choose: () => 0 }) })
  const port = await opener.open(loopback, settings)
  const old = secure(port.address.port)
  await once(old, 'secureConnect')
  assert.equal(old.getPeerCertificate().subject.CN, 'one.example')
  const bad = { ...settings, tls: tlsSettings({ certificates: [{ cert: one.cert, key: two.key }] }) }
  assert.throws(() => port.reconfigure(bad), { name: 'TlsSettingsError' })
  const same = secure(port.address.port)
  await once(same, 'secureConnect')
  assert.equal(same.getPeerCertificate().subject.CN, 'one.example')
  assert.equal(await say(same, 'a'), 'a')
  port.reconfigure({ ...settings, tls: tlsSettings({ certificates: [two], choose: () => 0 }) })
  // With a name and without: the second never reaches SNICallback.
  for (const options of [{}, { servername: 'x.example' }]) {
    const fresh = secure(port.address.port, options)
    await once(fresh, 'secureConnect')
    assert.equal(fresh.getPeerCertificate().subject.CN, 'two.example')
    fresh.destroy()
  }
  assert.equal(await say(old, 'still here'), 'still here')
  port.close()
})

test('a session of one port is resumed at another that has the same ticket keys, and at no other', async () => {
  const ports = await Promise.all(
    [7, 7, 8].map((fill) =>
      opener.open(loopback, echoing({ tls: tlsSettings({ ticketKeys: Buffer.alloc(48, fill) }) }).settings),
    ),
  )
  const first = secure(ports[0]!.address.port, { servername: 'two.example' })
  const [session] = (await once(first, 'session')) as [Buffer]
  first.destroy()
  const isResumed = async (port: number): Promise<boolean> => {
    const socket = secure(port, { servername: 'two.example', session })
    await once(socket, 'secureConnect')
    const reused = socket.isSessionReused()
    socket.destroy()
    return reused
  }
  assert.equal(await isResumed(ports[1]!.address.port), true)
  assert.equal(await isResumed(ports[2]!.address.port), false)
  for (const port of ports) port.close()
})

test('a session lets nobody in where another port, or other authorities, would have asked for a certificate', async () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const open = await opener.open(loopback, echoing({ tls: tlsSettings() }).settings)
    const { settings, origins } = echoing({ tls: tlsSettings({ clientCa: one.cert, clientCertificate: 'required' }) })
    const strict = await opener.open(loopback, settings)
    const sessionOf = async (port: number, own: tls.ConnectionOptions): Promise<Buffer> => {
      const socket = secure(port, { maxVersion, ...own })
      socket.write('x')
      const [session] = (await once(socket, 'session')) as [Buffer]
      socket.destroy()
      return session
    }
    const asked = async (options: tls.ConnectionOptions): Promise<string> =>
      say(secure(strict.address.port, { maxVersion, ...options }), 'hi')
    assert.equal(await asked({ session: await sessionOf(open.address.port, {}) }), '')
    const session = await sessionOf(strict.address.port, one)
    assert.equal(await asked({ session }), 'hi')
    const { isResumed, clientCertificate } = origins.at(-1)!.tls!
    assert.deepEqual([isResumed, clientCertificate?.subject], [true, 'CN=one.example'])
    strict.reconfigure({ ...settings, tls: tlsSettings({ clientCa: two.cert, clientCertificate: 'required' }) })
    assert.equal(await asked({ session }), '')
    open.close()
    strict.close()
  }
})

test('client certificates: required, and optional but good', async () => {
  const { settings } = echoing()
  const { refusals } = echoing()
  const onRefused: PortSettings['onRefused'] = (refusal, _remote, detail) => refusals.push(`${refusal}: ${detail}`)
  for (const [clientCertificate, client, isServed] of [
    ['required', one, true],
    ['required', undefined, false],
    ['required', two, false],
    ['optional', undefined, true],
    ['optional', one, true],
    ['optional', two, false],
  ] as const) {
    const port = await opener.open(loopback, {
      ...settings,
      onRefused,
      tls: tlsSettings({ clientCa: one.cert, clientCertificate }),
    })
    const socket = secure(port.address.port, client ?? {})
    assert.equal(await say(socket, 'hi'), isServed ? 'hi' : '', `${clientCertificate} ${client === undefined}`)
    port.close()
  }
  assert.equal(refusals.length, 3)
})

test('a bound socket is served by another process, keeps its port meanwhile, and outlives a kill', async () => {
  const taken = await opener.open(loopback, echoing().settings)
  await assert.rejects(opener.bind(taken.address), { name: 'ListenError', code: 'ADDRESS_IN_USE' })
  taken.close()
  const socket = await opener.bind(loopback)
  const script = `
    import { createPortOpener } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
    const opener = createPortOpener()
    process.on('message', async (address, handle) => {
      await opener.open(opener.received(address, handle), {
        connectionsMax: 10, preamble: undefined, tls: undefined, onRefused() {},
        onConnection(connection) {
          connection.setHandler({ onData() {}, onClose() {} })
          connection.write(Buffer.from(String(process.pid)))
          connection.end()
        },
      })
      process.send('ready')
    })`
  const file = join(folder, 'serve.mjs')
  writeFileSync(file, script)
  const start = async (): Promise<ReturnType<typeof fork>> => {
    const child = fork(file, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    child.send(socket.address, socket.handle as net.Server)
    await once(child, 'message')
    return child
  }
  const first = await start()
  assert.equal(await say(net.connect(socket.address), ''), String(first.pid))
  first.kill('SIGKILL')
  await once(first, 'exit')
  // Nobody accepts now, yet nobody is refused: the kernel keeps the connection until the next process serves it.
  const waiting = say(net.connect(socket.address), '')
  const second = await start()
  assert.equal(await waiting, String(second.pid))
  second.kill('SIGKILL')
  await once(second, 'exit')
  socket.close()
})

test('little waits for a client that takes nothing, with TLS and without; it drains when the client reads on', async () => {
  for (const secure of [undefined, tlsSettings()]) {
    let queuedBytes = 0
    let onDrained = (): void => {}
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve
    })
    const { settings } = echoing({
      tls: secure,
      onConnection(connection: Connection) {
        connection.setHandler({ onData() {}, onDrain: () => onDrained(), onClose() {} })
        let isTaken = true
        while (isTaken) isTaken = connection.write(Buffer.alloc(32 << 10))
        queuedBytes = connection.queuedBytes
      },
    })
    const port = await opener.open(loopback, settings)
    const where = { port: port.address.port, host: '127.0.0.1' }
    const client = secure === undefined ? net.connect(where) : tls.connect({ ...where, rejectUnauthorized: false })
    client.resume()
    await drained
    client.destroy()
    port.close()
    assert.ok(queuedBytes > 0 && queuedBytes <= 192 << 10, `${queuedBytes} bytes`)
  }
})
