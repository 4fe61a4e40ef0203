/** What a client is told, by what went wrong with the server behind: real servers that misbehave, one way each. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import * as tls from 'node:tls'
import { connectFailureKind } from '../http/index.ts'
import { proxyMetricsText } from '../metrics/index.ts'
import { startOnMachine } from './testing/worker-on-machine.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-causes-'))
after(() => rmSync(folder, { recursive: true }))

interface Case {
  readonly reason: string
  readonly status: number
  readonly says: RegExp
  /** Of the upstream, besides its endpoints. */
  readonly upstream?: string
  readonly route?: string
  /** The server; undefined: nobody listens. */
  readonly server?: () => net.Server
}

/** Every connection gets this once it asked, and is ended. */
const says = (bytes: string) => () =>
  net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(bytes)))

function stranger(): net.Server {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=stranger',
  ]
  execFileSync('openssl', [...made, '-keyout', key, '-out', cert], { stdio: 'ignore' })
  return tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }).on('tlsClientError', () => {})
}

const cases: readonly Case[] = [
  { reason: 'connect-refused', status: 502, says: /the server refused the connection/ },
  { reason: 'closed-before-response', status: 502, says: /closed the connection without an answer/, server: says('') },
  {
    reason: 'malformed-response',
    status: 502,
    says: /the answer of the server is malformed/,
    server: says('SSH-2.0\r\n'),
  },
  { reason: 'broken-response', status: 502, says: /the answer of the server broke off/, server: says('HTTP/1.1 2') },
  {
    reason: 'connect-tls',
    status: 502,
    says: /no TLS connection to the server could be made/,
    upstream: 'tls: {}',
    server: stranger,
  },
  {
    reason: 'connect-protocol',
    status: 502,
    says: /does not speak HTTP\/2/,
    upstream: 'protocol: http2',
    server: says('HTTP/1.1 400 Bad Request\r\n\r\n'),
  },
  {
    reason: 'connect-timeout',
    status: 504,
    says: /no connection to the server could be made in time/,
    upstream: 'protocol: http2, connectTimeout: 50ms',
    server: () => net.createServer((socket) => socket.on('error', () => {}).resume()),
  },
  {
    reason: 'response-timeout',
    status: 504,
    says: /the server did not answer in time/,
    route: 'timeouts: { attempt: 50ms }',
    server: () => net.createServer((socket) => socket.on('error', () => {}).resume()),
  },
]

async function portOf(server: net.Server | undefined): Promise<number> {
  const listening = server ?? net.createServer()
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as net.AddressInfo
  if (server === undefined) await new Promise((resolve) => listening.close(resolve))
  return port
}

function get(port: number): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, agent: false }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => {
        body += bytes.toString()
      })
      response.on('end', () => resolve({ status: response.statusCode!, body }))
    })
    request.on('error', reject)
  })
}

/** The line of the one request, once it is written. */
async function lineOf(file: string): Promise<Record<string, unknown>> {
  const deadlineMs = Date.now() + 10_000
  while (Date.now() < deadlineMs) {
    const text = readFileSync(file, 'utf8')
    if (text.endsWith('\n')) return JSON.parse(text)
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('no line was logged')
}

describe('the answer, the log and the metrics name the cause', () => {
  for (const { reason, status, says: text, upstream = '', route = '', server: make } of cases) {
    it(reason, async () => {
      const server = make?.()
      const port = await portOf(server)
      const log = join(folder, `${reason}.log`)
      const worker = await startOnMachine(
        `
accessLog: { file: ${log}, format: json }
listeners: [{ name: web, address: '127.0.0.1:0', routes: [{ path: /, to: app, ${route} }] }]
upstreams: { app: { endpoints: ['127.0.0.1:${port}'], ${upstream} } }
`,
        folder,
      )
      try {
        const answer = await get(worker.view().listeners[0]!.port)
        assert.equal(answer.status, status)
        assert.match(answer.body, text)
        assert.doesNotMatch(answer.body, /127\.0\.0\.1|:\d{4}/)
        assert.equal((await lineOf(log))['failure'], reason)
        const counted = `synod_proxy_upstream_failures_total{upstream="app",reason="${reason}"} 1`
        assert.ok(proxyMetricsText(worker.view().metrics).split('\n').includes(counted), counted)
      } finally {
        await worker.stop()
        server?.close()
      }
    })
  }
})

it('what the operating system says of a connection that did not open tells one cause from another', () => {
  for (const [reason, detail, isTls, kind] of [
    ['refused', 'connect ECONNREFUSED 10.0.0.1:80', false, 'connect-refused'],
    ['refused', 'connect ECONNREFUSED 10.0.0.1:80', true, 'connect-refused'],
    ['unreachable', undefined, false, 'connect-timeout'],
    ['unreachable', 'connect ETIMEDOUT 10.0.0.1:80', true, 'connect-timeout'],
    ['unreachable', 'connect EHOSTUNREACH 10.0.0.1:80', true, 'connect-unreachable'],
    ['unreachable', 'getaddrinfo ENOTFOUND nowhere', false, 'connect-unreachable'],
    ['reset', 'self-signed certificate', true, 'connect-tls'],
    ['reset', 'connect EMFILE', false, 'connect-unreachable'],
  ] as const) {
    assert.equal(connectFailureKind(reason, detail, isTls), kind, `${reason} ${detail}`)
  }
})
