// HTTP/1.1 requests made to be misread (RFC 9112 §11.2), from outside, through the real proxy to a server that records every
// octet, and to nginx. What is refused: the status, the end of the connection, and not one octet behind the proxy. What is
// accepted: each request once, in one framing.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { findPeer, skipWithout } from '../peers.ts'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'
import { freePort } from './rendered-engines.ts'
import { type RawOutcome, type Recorder, sendRaw, startRecorder } from './torture-ground.ts'
import { type TortureCase, tortureCases } from './torture-requests.ts'

let folder = ''
let recorder: Recorder
let proxy: ProxyProcess
let nginxPort = 0
const cleanups: (() => unknown)[] = []

const nginx = findPeer('nginx')
const nginxLog = (): string =>
  existsSync(join(folder, 'nginx.log')) ? readFileSync(join(folder, 'nginx.log'), 'latin1') : ''

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synod-torture-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  recorder = await startRecorder()
  cleanups.push(() => recorder.close())
  if (nginx !== undefined) await startNginx(nginx.path)
  const web = (name: string): string => `
  - name: ${name}
    address: '127.0.0.1:0'
    routes: [{ path: /, to: ${name}, retry: off, requestHeaders: { set: { X-Real-User: nobody } } }]`
  proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:${web('raw')}${web('nginx')}
upstreams:
  raw: { endpoints: ['127.0.0.1:${recorder.port}'] }
  nginx: { endpoints: ['127.0.0.1:${nginxPort === 0 ? recorder.port : nginxPort}'] }
`,
  )
  cleanups.push(() => proxy.kill())
})

after(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startNginx(path: string): Promise<void> {
  nginxPort = await freePort()
  const file = join(folder, 'nginx.conf')
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 256; }
http {
  log_format seen '$request|$status';
  access_log ${folder}/nginx.log seen;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${nginxPort}; location / { return 200 ok; } }
}
`,
  )
  const child = spawn(path, ['-c', file, '-p', folder], { stdio: 'ignore' })
  const exited = new Promise((resolve) => child.once('exit', resolve))
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await until('nginx answers', async () => (await sendRaw(nginxPort, 'GET / HTTP/1.0\r\n\r\n')).text.includes(' 200 '))
}

function octets(each: TortureCase, id: string): string[] {
  const pieces = typeof each.send === 'string' ? [each.send] : each.send
  // A case in single octets has its placeholder in one of them.
  return pieces.map((piece) => piece.replaceAll('@', id).replaceAll('(at)', '@'))
}

async function play(port: number, each: TortureCase, id: string): Promise<RawOutcome> {
  const wanted = each.statuses.length
  const mayStay = each.staysOpen === true || each.statuses.every((status) => status < 400)
  const isAll = (text: string): boolean =>
    mayStay && (text.match(/HTTP\/1\.1 [2-5][0-9]{2} [\s\S]*?\r\n\r\n[\s\S]/g)?.length ?? 0) >= wanted
  return sendRaw(port, octets(each, id), { ends: each.ends === true, until: isAll })
}

/** A request of which it is known that it has arrived: whatever was sent before it has, too. */
async function fence(port: number, id: string): Promise<void> {
  const { text } = await sendRaw(port, `GET ${id} HTTP/1.1\r\nHost: fence\r\nConnection: close\r\n\r\n`)
  assert.match(text, /^HTTP\/1\.1 200 /, `the proxy still serves: ${id}`)
}

function checkOutcome(each: TortureCase, outcome: RawOutcome): void {
  assert.deepEqual(outcome.statuses, each.statuses, outcome.text.slice(0, 300))
  const isRefused = each.reach === undefined || each.statuses.length > each.reach.length
  if (isRefused && each.staysOpen !== true) {
    assert.ok(outcome.ended, 'the connection is closed')
    if (each.statuses.length > 0) assert.match(outcome.text, /\r\nconnection: close\r\n/)
  }
}

test('each case through the proxy to a server that records every octet', async (context) => {
  for (const [number, each] of tortureCases.entries()) {
    await context.test(`${each.name} (${each.rfc})`, async () => {
      const id = `/case-${number}`
      recorder.reset()
      const outcome = await play(proxy.port('raw'), each, id)
      checkOutcome(each, outcome)
      await fence(proxy.port('raw'), `/fence-${number}`)
      assert.deepEqual(recorder.faults, [], 'everything that arrives is plain')
      const arrived = recorder.requests.filter(({ line }) => !line.includes('/fence-'))
      assert.deepEqual(
        arrived.map(({ body }) => body),
        each.reach ?? [],
      )
      const text = recorder.text()
      if (each.isCut !== true && each.reach === undefined) {
        assert.ok(text.startsWith(`GET /fence-${number} `), `not one octet: ${JSON.stringify(text.slice(0, 200))}`)
      }
      assert.ok(!arrived.some(({ line }) => line.includes('/smuggled')))
      const seen = text.slice(0, text.indexOf('GET /fence-'))
      if (each.seen !== undefined) assert.match(seen, each.seen)
      if (each.unseen !== undefined) assert.doesNotMatch(seen, each.unseen)
    })
  }
})

test('each case through the proxy to nginx: it sees what was accepted, once, and nothing else', {
  skip: skipWithout('nginx'),
}, async () => {
  const expected: string[] = []
  for (const [number, each] of tortureCases.entries()) {
    const outcome = await play(proxy.port('nginx'), each, `/nginx-${number}`)
    checkOutcome(each, outcome)
    for (const _ of each.reach ?? []) expected.push(`${number}`)
  }
  await fence(proxy.port('nginx'), '/nginx-fence')
  await until('nginx has logged the last', () => nginxLog().includes('/nginx-fence'))
  const lines = nginxLog()
    .trimEnd()
    .split('\n')
    .filter((line) => line.includes('/nginx-') && !line.includes('fence'))
  // 499 is nginx's word for a request that was broken off before its end.
  const whole = lines.filter((line) => !/\|(499|400)$/.test(line))
  assert.deepEqual(
    whole.filter((line) => !line.endsWith('|200')),
    [],
  )
  const cut = new Set(tortureCases.flatMap((each, number) => (each.isCut === true ? [`${number}`] : [])))
  const numbers = whole.map((line) => /\/nginx-([0-9]+)/.exec(line)?.[1] ?? line).filter((number) => !cut.has(number))
  assert.deepEqual(numbers, expected)
  assert.ok(!nginxLog().includes('/smuggled'))
})
