// curl and nghttp with many options at the real proxy: each asks in its own way, and the server behind says what reached it.
import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { requirePeer, skipWithout } from '../peers.ts'
import { type ProxyProcess, startProxy } from './proxy-process.ts'
import { patternAt } from './streams-ground.ts'

interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly status: number
}

function run(program: string, args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    const options = { timeout: 20_000, maxBuffer: 64 << 20, encoding: 'latin1' as const }
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ stdout, stderr, status: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1 })
    })
  })
}

const file = patternAt(7, 300_000)
const text = file.toString('latin1')
const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

function answer(request: http.IncomingMessage, response: http.ServerResponse): void {
  const hash = createHash('sha256')
  request.on('data', (piece: Buffer) => hash.update(piece))
  request.on('end', () => {
    const body = hash.digest('hex')
    const path = request.url!.split('?')[0]!
    if (path === '/file') return sendFile(request, response)
    if (path === '/moved') return response.writeHead(302, { location: '/seen?moved' }).end()
    if (path === '/zipped') return response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(file))
    if (path === '/trailers') {
      response.writeHead(200, { trailer: 'x-sum' })
      response.write('summed')
      response.addTrailers({ 'x-sum': '6' })
      return response.end()
    }
    if (path === '/hints') response.writeEarlyHints({ link: '</a.css>; rel=preload' })
    if (path === '/late') return setTimeout(() => response.end('late'), 5_000).unref()
    if (path === '/empty') return response.writeHead(204).end()
    if (path === '/cut') return response.write('half', () => setImmediate(() => response.destroy()))
    return response.end(`${JSON.stringify({ method: request.method, url: request.url, ...wanted(request), body })}\n`)
  })
}

function wanted({ headers, trailers }: http.IncomingMessage): object {
  return {
    type: headers['content-type']?.split(';')[0],
    length: headers['content-length'],
    x: headers['x-x'],
    trailers,
  }
}

function sendFile(request: http.IncomingMessage, response: http.ServerResponse): void {
  const [, from] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? []
  if (from === undefined) response.writeHead(200, { 'accept-ranges': 'bytes', 'content-length': file.length }).end(file)
  else {
    const range = `bytes ${from}-${file.length - 1}/${file.length}`
    response.writeHead(206, { 'content-range': range }).end(file.subarray(Number(from)))
  }
}

describe('clients of other people', () => {
  let folder = ''
  let proxy: ProxyProcess
  let plain = ''
  let secure = ''
  let body = ''
  const server = http.createServer(answer)

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'synod-streams-'))
    body = join(folder, 'body')
    writeFileSync(body, file)
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
    const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...name], { stdio: 'pipe' })
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
  - name: tls
    address: 127.0.0.1:0
    http2: true
    tls: { certificates: [{ cert: ${cert}, key: ${key} }] }
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${port}'] }
`,
    )
    plain = `http://127.0.0.1:${proxy.port('web')}`
    secure = `https://localhost:${proxy.port('tls')}`
  })
  after(async () => {
    await proxy?.kill()
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true })
  })

  describe('curl', { skip: skipWithout('curl') }, () => {
    const versions: readonly (readonly [name: string, args: readonly string[], base: () => string])[] = [
      ['HTTP/1.0', ['--http1.0'], () => plain],
      ['HTTP/1.1', ['--http1.1'], () => plain],
      ['HTTP/2', ['--http2-prior-knowledge'], () => plain],
      ['HTTP/1.1 over TLS', ['--http1.1', '-k'], () => secure],
      ['HTTP/2 over TLS', ['--http2', '-k'], () => secure],
    ]
    // curl 7.88 fails at the second request on a connection of HTTP/2 without TLS, whoever serves it.
    const keepsConnections = (name: string): boolean => name !== 'HTTP/2'
    for (const [name, args, base] of versions) {
      const curl = (path: string, ...more: string[]): Promise<Ran> =>
        run(requirePeer('curl'), ['-sS', ...args, ...more, `${base()}${path}`])
      const seen = async (path: string, ...more: string[]): Promise<Record<string, unknown>> => {
        const { stdout, stderr } = await curl(path, ...more)
        assert.match(stdout, /^\{/, stderr)
        return JSON.parse(stdout) as Record<string, unknown>
      }

      it(`${name}: methods and bodies`, async () => {
        assert.equal((await seen('/seen'))['method'], 'GET')
        assert.equal((await seen('/seen', '-X', 'DELETE'))['method'], 'DELETE')
        assert.equal((await seen('/seen', '-X', 'OPTIONS'))['method'], 'OPTIONS')
        const posted = await seen('/seen', '-d', 'a=b')
        assert.deepEqual(
          [posted['type'], posted['body']],
          ['application/x-www-form-urlencoded', digest(Buffer.from('a=b'))],
        )
        const put = await seen('/seen', '-T', body)
        assert.deepEqual([put['method'], put['body']], ['PUT', digest(file)])
        const post = await seen('/seen', '--data-binary', `@${body}`, '-H', 'Expect: 100-continue')
        assert.deepEqual([post['length'], post['body']], [`${file.length}`, digest(file)])
        assert.equal((await seen('/seen', '-F', `upload=@${body}`))['type'], 'multipart/form-data')
        assert.equal((await seen('/seen', '-d', ''))['length'], '0')
        if (name !== 'HTTP/1.0') {
          const chunked = await seen('/seen', '-H', 'Transfer-Encoding: chunked', '-T', body)
          assert.equal(chunked['body'], digest(file))
        }
      })

      it(`${name}: heads, ranges, redirects, compression, nothing at all`, async () => {
        const head = await curl('/file', '-I')
        assert.match(head.stdout, /content-length: 300000/i)
        assert.deepEqual([(await curl('/file')).stdout === text, head.status], [true, 0])
        const range = await curl('/file', '-r', '100000-', '-w', '%{http_code}')
        assert.equal(range.stdout, `${file.subarray(100_000).toString('latin1')}206`)
        if (keepsConnections(name)) assert.match((await curl('/moved', '-L')).stdout, /"url":"\/seen\?moved"/)
        assert.equal((await curl('/zipped', '--compressed')).stdout, text)
        assert.equal((await curl('/empty', '-w', '%{http_code}')).stdout, '204')
        assert.equal((await seen('/seen', '-H', 'X-X: some text'))['x'], 'some text')
        assert.equal((await seen('/seen?a=%20b&c', '-G', '-d', 'd=e'))['url'], '/seen?a=%20b&c&d=e')
        const { stdout } = await curl('/late', '--max-time', '0.2', '-w', '%{exitcode}')
        assert.equal(stdout, '28')
      })

      it(`${name}: an answer that is cut off is an error, never an end`, async () => {
        const { status, stdout } = await curl('/cut')
        assert.ok([18, 56, 92].includes(status), `${status} ${stdout}`)
      })

      it(`${name}: slowly, and many over kept connections`, async () => {
        assert.equal((await curl('/file', '--limit-rate', '1M')).stdout, text)
        if (!keepsConnections(name)) return
        // curl 7.88 with many at once over HTTP/2 waits now and then for what it has read already: nothing is queued
        // anywhere, and it asks for no more. h2load does it below.
        const parallel = name.startsWith('HTTP/2') ? [] : ['-Z', '--parallel-max', '20']
        const { stdout } = await curl(
          '/file?[1-60]',
          ...parallel,
          '-o',
          '/dev/null',
          '-w',
          '%{http_code} %{size_download}\n',
        )
        assert.deepEqual(new Set(stdout.trim().split('\n')), new Set(['200 300000']))
        assert.equal(stdout.trim().split('\n').length, 60)
      })
    }

    it('HTTP/1.1: trailers, interim answers, and closing', async () => {
      const curl = (path: string, ...more: string[]) =>
        run(requirePeer('curl'), ['-sS', '-v', ...more, `${plain}${path}`])
      assert.match((await curl('/trailers', '--raw', '-H', 'TE: trailers')).stdout, /6\r\nsummed\r\n0\r\nx-sum: 6\r\n/i)
      assert.match((await curl('/hints')).stderr, /HTTP\/1\.1 103 [\s\S]*link: <\/a\.css>[\s\S]*HTTP\/1\.1 200/)
      assert.match(
        (await curl('/seen', '-H', 'Connection: close')).stderr,
        /connection: close[\s\S]*Closing connection/i,
      )
    })
  })

  describe('nghttp', { skip: skipWithout('nghttp') }, () => {
    const nghttp = async (path: string, ...more: string[]): Promise<string> => {
      const { stdout, stderr, status } = await run(requirePeer('nghttp'), [...more, `${plain}${path}`])
      assert.equal(status, 0, stderr)
      return stdout
    }
    const seen = async (...more: string[]): Promise<Record<string, unknown>> =>
      JSON.parse(await nghttp('/seen', ...more)) as Record<string, unknown>

    it('bodies of a known length and of none, with trailers and 100-continue', async () => {
      const known = await seen('-d', body)
      assert.deepEqual([known['method'], known['length'], known['body']], ['POST', `${file.length}`, digest(file)])
      const unknown = await seen('-d', body, '--no-content-length')
      assert.deepEqual([unknown['length'], unknown['body']], [undefined, digest(file)])
      const trailed = await seen('-d', body, '--no-content-length', '--trailer=x-sum: 1')
      assert.equal(trailed['body'], digest(file))
      assert.equal((await seen('-d', body, '--expect-continue'))['body'], digest(file))
      assert.equal((await seen('-H', ':method: PUT', '-d', body))['method'], 'PUT')
    })

    it('windows from the smallest to large, padding, tables of other sizes, priorities', async () => {
      for (const options of [
        ['-w', '10', '-W', '10'],
        ['-w', '16', '-W', '16'],
        ['-w', '30', '-W', '30'],
        ['-b', '255'],
        ['-c', '0'],
        ['-c', '65536'],
        ['--encoder-header-table-size=0'],
        ['-p', '256'],
        ['--no-dep'],
        ['-M', '1'],
      ]) {
        const got = await nghttp('/file', ...options)
        assert.ok(got.includes(text), options.join(' '))
        assert.equal((await seen('-d', body, ...options))['body'], digest(file))
      }
    })

    it('a hundred at once on one connection', async () => {
      const { stdout, status } = await run(requirePeer('nghttp'), ['-n', '-s', '-m', '100', `${plain}/file`])
      assert.equal(status, 0)
      assert.equal(stdout.match(/ 200 +\S+ +\/file/g)?.length, 100, stdout)
    })

    it('many at once over TLS, on few connections', { skip: skipWithout('h2load') }, async () => {
      const { stdout } = await run(requirePeer('h2load'), ['-n', '600', '-c', '2', '-m', '20', `${secure}/file`])
      assert.match(stdout, /requests: 600 total, 600 started, 600 done, 600 succeeded, 0 failed/, stdout)
    })

    it('trailers and interim answers are passed on, and what is cut off is reset', async () => {
      assert.match(await nghttp('/trailers', '-v', '-H', 'te: trailers'), /x-sum[^\n]*: [^\n]*6/)
      assert.match(await nghttp('/hints', '-v'), /:status[^\n]*103[\s\S]*:status[^\n]*200/)
      const { stdout } = await run(requirePeer('nghttp'), ['-v', `${plain}/cut`])
      assert.match(stdout, /recv[^\n]* RST_STREAM frame/)
    })
  })
})
