// WebSocket through the real proxy, with `ws` at both ends.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'
import { megabyte, PatternCheck, patternAt } from './streams-ground.ts'

describe('WebSocket', () => {
  let folder = ''
  let proxy: ProxyProcess
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate: true,
    handleProtocols: (protocols) => (protocols.has('echo') ? 'echo' : false),
  })
  let closed = ''

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synod-streams-'))
    server.on('connection', (socket, request) => {
      if (request.url === '/app/leave') socket.close(4001, 'enough')
      if (request.url === '/app/die') socket.terminate()
      if (request.url === '/app/silent') socket.pause()
      socket.on('error', () => {})
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      socket.on('close', (code, reason) => {
        closed = `${code} ${reason.toString()}`
      })
    })
    if (server.address() === null) await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    proxy = await startProxy(
      folder,
      `
workers: 1
admin: 127.0.0.1:0
listeners:
  - name: web
    address: 127.0.0.1:0
    http2: true
    routes:
      - { path: /app/silent, to: app, timeouts: { upgradedIdle: 300ms } }
      - { path: /app, to: app }
upstreams:
  app: { endpoints: ['127.0.0.1:${port}'] }
`,
    )
  })
  after(async () => {
    await proxy?.kill()
    for (const socket of server.clients) socket.terminate()
    server.close()
    rmSync(folder, { recursive: true })
  })

  async function open(path: string, options = {}, protocols: string[] = []): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port('web')}/app/${path}`, protocols, options)
    await once(socket, 'open')
    return socket
  }

  for (const perMessageDeflate of [false, true]) {
    it(`echoes text and bytes of many sizes${perMessageDeflate ? ', compressed' : ''}, and closes in order`, async () => {
      const socket = await open('echo', { perMessageDeflate }, ['none', 'echo'])
      assert.equal(socket.protocol, 'echo')
      assert.equal(socket.extensions.includes('permessage-deflate'), perMessageDeflate)
      for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 5_000_000]) {
        const sent = patternAt(length, length)
        socket.send(sent)
        const [bytes, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
        assert.ok(isBinary)
        assert.ok(bytes.equals(sent))
      }
      socket.send('grüße')
      const [text, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
      assert.deepEqual([text.toString(), isBinary], ['grüße', false])
      socket.ping('are you there')
      const [pong] = (await once(socket, 'pong')) as [Buffer]
      assert.equal(pong.toString(), 'are you there')
      socket.close(4000, 'bye')
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
      assert.deepEqual([code, reason.toString()], [4000, 'bye'])
      await until('the server knows', () => closed === '4000 bye')
    })
  }

  it('carries 100 MB of messages both ways, all in their order', async () => {
    const socket = await open('echo', { perMessageDeflate: false })
    const check = new PatternCheck()
    const total = 100 * megabyte
    const piece = 64 << 10
    const done = new Promise<void>((resolve, reject) => {
      socket.on('message', (data: Buffer) => {
        try {
          check.take(data)
        } catch (error) {
          reject(error)
        }
        if (check.bytes === total) resolve()
      })
      socket.on('close', () => reject(new Error(`closed after ${check.bytes} bytes`)))
    })
    for (let at = 0; at < total; at += piece) {
      await new Promise<void>((resolve) => socket.send(patternAt(at, piece), () => resolve()))
    }
    await done
    socket.close()
  })

  it('passes on how the server closes, and that it died', async () => {
    const left = new WebSocket(`ws://127.0.0.1:${proxy.port('web')}/app/leave`)
    const [code, reason] = (await once(left, 'close')) as [number, Buffer]
    assert.deepEqual([code, reason.toString()], [4001, 'enough'])
    const dead = new WebSocket(`ws://127.0.0.1:${proxy.port('web')}/app/die`)
    dead.on('error', () => {})
    assert.equal((await once(dead, 'close'))[0], 1006)
  })

  it('a client that dies takes the connection to the server with it', async () => {
    const socket = await open('echo')
    closed = ''
    socket.terminate()
    await until('the server knows', () => closed.startsWith('1006'))
  })

  it('ends a connection that is idle for longer than it may, at both ends', async () => {
    const socket = await open('silent')
    socket.on('error', () => {})
    assert.equal((await once(socket, 'close'))[0], 1006)
  })

  it('a server that refuses the upgrade is heard', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port('web')}/nowhere`)
    const [error] = (await once(socket, 'error')) as [Error]
    assert.match(error.message, /404/)
  })

  it('a thousand at once, each with its own echo', async () => {
    const sockets = await Promise.all(Array.from({ length: 1_000 }, () => open('echo', { perMessageDeflate: false })))
    const answers = sockets.map((socket) => once(socket, 'message'))
    for (const [at, socket] of sockets.entries()) socket.send(`number ${at}`)
    for (const [at, answer] of answers.entries()) assert.equal(String((await answer)[0]), `number ${at}`)
    for (const socket of sockets) socket.close()
    await Promise.all(sockets.map((socket) => once(socket, 'close')))
  })
})
