// Servers that die before, in and after an answer, behind the real proxy: what the client gets to see, byte for byte. An
// answer that is not whole must never look whole.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import * as http2 from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'

type Ending = 'FIN' | 'RST'
const endings: readonly Ending[] = ['FIN', 'RST']

/** A script for a server: what it does with the head of a request, with the number of requests that came before. */
type Script = (socket: Socket, head: string, before: number) => void

let script: Script = () => {}
let requests = 0

function finish(socket: Socket, ending: Ending): void {
  if (ending === 'FIN') socket.end()
  else socket.resetAndDestroy()
}

/** Writes `text` and, once it has been read, ends. */
function answerAndEnd(socket: Socket, text: string, ending: Ending): void {
  // A reset throws away what is still under way: it must have been taken first.
  socket.write(text, () => setTimeout(() => finish(socket, ending), ending === 'RST' ? 50 : 0))
}

/** What a client of HTTP/1 saw: all bytes, and how the connection ended; `open` when it stayed open for a while. */
interface Seen {
  readonly text: string
  readonly end: 'FIN' | 'RST' | 'open'
}

describe('servers that die', () => {
  let folder = ''
  let proxy: ProxyProcess
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let input = ''
    socket.on('data', (bytes: Buffer) => {
      input += bytes.toString('latin1')
      for (let end = input.indexOf('\r\n\r\n'); end !== -1; end = input.indexOf('\r\n\r\n')) {
        const head = input.slice(0, end)
        input = input.slice(end + 4)
        if (/^[A-Z]+ \S+ HTTP/.test(head)) script(socket, head, requests++)
      }
    })
  })

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synod-streams-'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    proxy = await startProxy(
      folder,
      `
workers: 1
admin: 127.0.0.1:0
listeners:
  - { name: web, address: '127.0.0.1:0', http2: true, routes: [{ path: /, to: app }] }
  - { name: tcp, address: '127.0.0.1:0', protocol: tcp, to: app }
upstreams:
  app: { endpoints: ['127.0.0.1:${port}'], outlier: off, retryBudget: { perSecond: 1000 } }
`,
    )
  })
  beforeEach(() => {
    requests = 0
  })
  after(async () => {
    await proxy?.kill()
    for (const socket of sockets) socket.destroy()
    server.close()
    rmSync(folder, { recursive: true })
  })

  /** Sends `text` and reads to the end, or until `isEnough`. */
  function raw(text: string, isEnough: (seen: string) => boolean = () => false, listener = 'web'): Promise<Seen> {
    return new Promise((resolve) => {
      let seen = ''
      const socket = connect(proxy.port(listener), '127.0.0.1')
      const over = (end: Seen['end']): void => {
        resolve({ text: seen, end })
        socket.destroy()
      }
      socket.on('data', (bytes: Buffer) => {
        seen += bytes.toString('latin1')
        if (isEnough(seen)) over('open')
      })
      socket.on('end', () => over('FIN'))
      socket.on('error', () => over('RST'))
      socket.write(text, 'latin1')
    })
  }

  const get = (version = '1.1', method = 'GET'): string =>
    `${method} /x HTTP/${version}\r\nHost: x\r\n${method === 'POST' ? 'Content-Length: 1\r\n\r\nx' : '\r\n'}`

  /** Status and body over HTTP/2, or the error. */
  async function overHttp2(): Promise<string> {
    const session = http2.connect(`http://127.0.0.1:${proxy.port('web')}`)
    try {
      const stream = session.request({ ':path': '/x' })
      let status = ''
      let body = ''
      stream.on('response', (head) => {
        status = String(head[':status'])
      })
      stream.on('data', (bytes: Buffer) => {
        body += bytes.toString()
      })
      return await new Promise((resolve) => {
        stream.on('error', (error: NodeJS.ErrnoException) => resolve(`${status} ${body} ${error.message}`))
        stream.on('end', () => resolve(`${status} ${body}`))
      })
    } finally {
      session.destroy()
    }
  }

  const chunkedHead = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

  for (const ending of endings) {
    describe(`by ${ending}`, () => {
      it('before the answer: idempotent requests are tried three times, others once; then 502', async () => {
        script = (socket) => finish(socket, ending)
        assert.match((await raw(get(), has502)).text, /^HTTP\/1.1 502 /)
        assert.equal(requests, 3)
        requests = 0
        assert.match((await raw(get('1.1', 'POST'), has502)).text, /^HTTP\/1.1 502 /)
        assert.equal(requests, 1)
        assert.match(await overHttp2(), /^502 /)
      })

      it('before the answer, once: the client sees nothing of it', async () => {
        script = (socket, _head, before) => {
          if (before === 0) finish(socket, ending)
          else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        }
        assert.match((await raw(get(), (text) => text.endsWith('ok'))).text, /^HTTP\/1.1 200 /)
        assert.equal(requests, 2)
      })

      for (const part of ['HTTP/1.1 200 OK\r\nContent-Le', 'HTT', 'HTTP/1.1 103 Early Hints\r\n\r\n']) {
        it(`in the head (${JSON.stringify(part)}): 502`, async () => {
          script = (socket) => answerAndEnd(socket, part, ending)
          const { text } = await raw(get(), has502)
          assert.match(text, /^(HTTP\/1.1 103 [\s\S]*)?HTTP\/1.1 502 /)
          assert.match(await overHttp2(), /^502 /)
        })
      }

      it('in a body of known length: the connection ends before the length', async () => {
        script = (socket) => answerAndEnd(socket, 'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf of it', ending)
        for (const version of ['1.0', '1.1']) {
          const { text, end } = await raw(get(version))
          assert.match(text, /^HTTP\/1.1 200 [\s\S]*content-length: 20\r\n[\s\S]*half of it$/i)
          assert.notEqual(end, 'open')
        }
        assert.match(await overHttp2(), /^200 (half of it)? .*(INTERNAL|CANCEL)/)
        assert.equal(requests, 3)
      })

      for (const [what, rest] of [
        ['in a chunk', '14\r\nhalf of it'],
        ['between chunks', 'a\r\nhalf of it\r\n'],
        ['in the last chunk', 'a\r\nhalf of it\r\n0\r\n'],
        ['in trailers', 'a\r\nhalf of it\r\n0\r\nx-sum: 1\r\n'],
      ] as const) {
        it(`${what}: no last chunk is made up; who knows no chunks sees a reset`, async () => {
          script = (socket) => answerAndEnd(socket, `${chunkedHead}${rest}`, ending)
          const { text, end } = await raw(get())
          assert.match(text, /^HTTP\/1.1 200 [\s\S]*half of it/)
          assert.doesNotMatch(text, /\r\n0\r\n/)
          assert.notEqual(end, 'open')
          assert.match(await overHttp2(), /^200 (half of it)? .*(INTERNAL|CANCEL)/)
          // The end of the connection would be the end of the body (RFC 9112 §6.3).
          const old = await raw(get('1.0'))
          assert.match(old.text, /^HTTP\/1.1 200 /)
          assert.equal(old.end, 'RST')
          assert.equal(requests, 3)
        })
      }

      it('after an answer without length: the end is its end, a reset breaks it', async () => {
        script = (socket) => answerAndEnd(socket, 'HTTP/1.1 200 OK\r\n\r\nall of it', ending)
        const isWhole = ending === 'FIN'
        const { text } = await raw(get(), (seen) => seen.endsWith('0\r\n\r\n'))
        assert.equal(text.endsWith('\r\n0\r\n\r\n'), isWhole, text)
        assert.equal((await raw(get('1.0'))).end, ending)
        assert.match(await overHttp2(), isWhole ? /^200 all of it$/ : /^200 .*(INTERNAL|CANCEL)/)
      })

      it('after an answer: the next request on the same connection gets another', async () => {
        script = (socket) => answerAndEnd(socket, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', ending)
        const client = connect(proxy.port('web'), '127.0.0.1')
        let seen = ''
        client.on('data', (bytes: Buffer) => {
          seen += bytes.toString()
        })
        for (let turn = 1; turn <= 20; turn++) {
          client.write(get())
          await until(`answer ${turn}`, () => seen.split('HTTP/1.1 ').length === turn + 1 && seen.endsWith('ok'))
        }
        assert.equal(seen.match(/HTTP\/1\.1 200 OK/g)?.length, 20)
        client.destroy()
      })

      it('while the request is still being sent: the answer that it gave already arrives', async () => {
        const answer = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig'
        script = (socket) => answerAndEnd(socket, answer, ending)
        const { text } = await raw(
          `PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n${'x'.repeat(1_000)}`,
          (seen) => seen.endsWith('big'),
        )
        assert.match(text, /^HTTP\/1.1 413 [\s\S]*big$/)
      })

      it('while the request is still being sent, without an answer: tried again while all of it is kept; 502', async () => {
        script = (socket) => finish(socket, ending)
        const head = 'PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n'
        assert.match((await raw(`${head}${'x'.repeat(1_000)}`, has502)).text, /^HTTP\/1.1 502 /)
        assert.equal(requests, 3)
        requests = 0
        // The first attempt ends when more has come than is kept.
        script = (socket) => {
          let bytes = 0
          socket.on('data', (piece: Buffer) => {
            bytes += piece.length
            if (bytes > 100_000) finish(socket, ending)
          })
        }
        assert.match((await raw(`${head}${'x'.repeat(200_000)}`, has502)).text, /^HTTP\/1.1 502 /)
        assert.equal(requests, 1)
      })

      it('in an upgraded connection: the client sees the same end', async () => {
        script = (socket) => {
          const answer = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello'
          answerAndEnd(socket, answer, ending)
        }
        const seen = await raw('GET /x HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
        assert.match(seen.text, /^HTTP\/1.1 101 [\s\S]*\r\n\r\nhello$/)
        assert.equal(seen.end, ending)
      })

      it('in a TCP connection: the client sees the same end', async () => {
        script = (socket) => answerAndEnd(socket, 'hello', ending)
        assert.deepEqual(await raw(get(), undefined, 'tcp'), { text: 'hello', end: ending })
      })
    })
  }

  it('an answer with more behind it than its length: the client gets the answer, and nothing of the rest', async () => {
    script = (socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    const client = connect(proxy.port('web'), '127.0.0.1')
    let seen = ''
    client.on('data', (bytes: Buffer) => {
      seen += bytes.toString()
    })
    for (let turn = 1; turn <= 3; turn++) {
      client.write(get())
      await until(`answer ${turn}`, () => seen.split('HTTP/1.1 ').length === turn + 1 && seen.endsWith('ok'))
    }
    assert.doesNotMatch(seen, /evil/)
    client.destroy()
  })

  it('a client that breaks takes its request with it: the server sees the connection end', async () => {
    let isClosed = false
    script = (socket) => {
      socket.on('close', () => {
        isClosed = true
      })
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf of it')
    }
    const client = connect(proxy.port('web'), '127.0.0.1')
    client.write(get())
    await once(client, 'data')
    client.resetAndDestroy()
    await until('the server sees it', () => isClosed)
  })

  it('a client that breaks an upgraded connection or one of TCP: the server sees a reset, no end', async () => {
    for (const listener of ['web', 'tcp']) {
      let seen = ''
      script = (socket) => {
        socket.on('end', () => {
          seen += 'FIN'
        })
        socket.on('error', (error: NodeJS.ErrnoException) => {
          seen += error.code
        })
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello')
      }
      const client = connect(proxy.port(listener), '127.0.0.1')
      client.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n')
      let text = ''
      client.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
      await until('the answer is there', () => text.endsWith('hello'))
      client.resetAndDestroy()
      await until('the server sees it', () => seen !== '')
      assert.equal(seen, 'ECONNRESET', listener)
    }
  })
})

function has502(text: string): boolean {
  return / 502 [\s\S]*\r\n\r\n/.test(text)
}
