/** check, import, render and sync as they are typed: what they print, for people and as JSON, and how they end. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, test } from 'node:test'
import { parseProxyConfig } from '../../proxy/config/index.ts'
import { helpTexts } from '../help.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-cli-proxy-'))
after(() => rmSync(folder, { recursive: true }))
const main = join(import.meta.dirname, '..', 'main.ts')

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

function synod(args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
    child.stdin!.end(input)
  })
}

const proxy = (args: readonly string[], input?: string): Promise<Ended> => synod(['proxy', ...args], input)

function json(text: string): Record<string, unknown> {
  assert.match(text, /^\{.*\}\n$/)
  return JSON.parse(text) as Record<string, unknown>
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const good = file(
  'good.yaml',
  `listeners: [{name: web, address: '127.0.0.1:8080', routes: [{to: app, sticky: c}]}]
upstreams: {app: {endpoints: ['127.0.0.1:9000']}, other: {endpoints: ['127.0.0.1:9001']}}
`,
)
const bad = file('bad.yaml', 'listeners:\n  - address: 127.0.0.1\n    routes: [{to: app}]\n')
const nginx = file(
  'nginx.conf',
  'http { server { listen 8080; gzip on; location /a/ { proxy_pass http://127.0.0.1:9000/; proxy_redirect off; } } }\n',
)
const problem = { line: 2, column: 14, path: 'listeners[0].address' }

describe('synod proxy', { concurrency: 2 }, () => {
  test('reload ends with status 1 and the reasons when it was refused, and when nobody is there who could', async () => {
    const answers: [status: number, body: unknown][] = [
      [200, { ok: true, problems: [] }],
      [409, { ok: false, problems: ['proxy.yaml:3:1 wrong', 'and more'] }],
      [409, { ok: false, problems: ['proxy.yaml:3:1 wrong'] }],
      [200, { hello: 'I am another program' }],
    ]
    const admin = createServer((_request, response) => {
      const [status, body] = answers.shift()!
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    admin.listen(0, '127.0.0.1')
    await once(admin, 'listening')
    const at = ['reload', '--admin', `127.0.0.1:${(admin.address() as AddressInfo).port}`]
    assert.deepEqual(await proxy(at), { status: 0, stdout: 'taken\n', stderr: '' })
    const refused = await proxy(at)
    assert.deepEqual([refused.status, refused.stdout], [1, ''])
    assert.match(refused.stderr, /not taken; the old one goes on:\nproxy\.yaml:3:1 wrong\nand more\n$/)
    const asJson = await proxy([...at, '--json'])
    assert.deepEqual([asJson.status, json(asJson.stdout)['ok']], [1, false])
    const stranger = await proxy(at)
    assert.equal(stranger.status, 1)
    assert.match(stranger.stderr, /no admin address of a Synod proxy: it answered .*another program/)
    admin.close()
    await once(admin, 'close')
    const gone = await proxy(at)
    assert.equal(gone.status, 1)
    assert.match(gone.stderr, /cannot ask .* Does the proxy run\?/)
  })

  test('each of the four has a help of its own, by --help and by synod help', async () => {
    assert.equal((await proxy(['sync', '--help'])).stdout, `${helpTexts['proxy sync']}\n`)
    assert.equal((await synod(['help', 'proxy', 'check'])).stdout, `${helpTexts['proxy check']}\n`)
    for (const command of ['check', 'import', 'render', 'sync']) {
      const text = helpTexts[`proxy ${command}`]!
      assert.match(text, new RegExp(`^synod proxy ${command}: .*\n\nUsage: synod proxy ${command} `))
      for (const part of ['--json', 'Exit status is 0', '\nExample']) assert.ok(text.includes(part), part)
      assert.deepEqual(
        text.split('\n').filter((line) => line.length > 125),
        [],
      )
    }
  })

  test('every flag that a command takes is in its help', () => {
    for (const command of ['check', 'import', 'render', 'sync']) {
      const source = readFileSync(join(import.meta.dirname, `${command}.ts`), 'utf8')
      const options = /parseArguments\('proxy', args, \{([\s\S]*?)\n? {2}\}\)/.exec(source)![1]!
      const flags = [...options.matchAll(/^ +'?([a-z-]+)'?: \{/gm)].map(([, name]) => name!)
      assert.ok(flags.length > 0)
      for (const flag of flags) assert.ok(helpTexts[`proxy ${command}`]!.includes(`--${flag}`), `${command} --${flag}`)
    }
  })

  test('check', async () => {
    const told = await proxy(['check', good])
    assert.equal(told.status, 0)
    assert.match(
      told.stdout,
      /good\.yaml:2:.* upstreams\.other: is not used by any listener \(warning\)\ngood: 1 worker/,
    )
    const { ok, file: named, problems, warnings } = json((await proxy(['check', '--json', good])).stdout)
    assert.deepEqual([ok, named, problems], [true, good, []])
    assert.equal((warnings as { path: string }[])[0]!.path, 'upstreams.other')

    const wrong = await proxy(['check', '--json', '-'], readFileSync(bad, 'utf8'))
    assert.equal(wrong.status, 1)
    const read = json(wrong.stdout) as { ok: boolean; problems: { message: string }[] }
    const { message, ...place } = read.problems[0]!
    assert.deepEqual([read.ok, place], [false, problem])
    assert.match(message, /write host and port/)
    assert.equal((await proxy(['check'])).status, 2)
    const schema = JSON.parse((await proxy(['check', '--schema'])).stdout) as { title: string }
    assert.equal(schema.title, 'Configuration of synod proxy')
  })

  test('rendered paths are whole, whatever folder the result will stand in', async () => {
    const yaml = `accessLog: a.log\nlisteners: [{address: '127.0.0.1:8080', routes: [{respond: 200}]}]\n`
    for (const path of [relative(process.cwd(), file('paths.yaml', yaml)), '-']) {
      const { stdout } = await proxy(['render', 'nginx', path], yaml)
      assert.match(stdout, /access_log "?\/.*\/a\.log"? combined;/)
    }
  })

  test('run takes a level of logs, and says which there are', async () => {
    const told = await proxy(['run', good, '--log-level', 'loud'])
    assert.deepEqual([told.status, told.stderr], [2, 'synod: --log-level is loud: write debug, info, warn or error\n'])
  })

  test('import', async () => {
    const told = await proxy(['import', 'nginx', nginx])
    assert.equal(told.status, 0)
    assert.ok(parseProxyConfig(told.stdout, { file: nginx }).ok)
    assert.match(
      told.stderr,
      /nginx\.conf:1 gzip on: bodies are not compressed here: let the service do it\n1 not carried over/,
    )

    const printed = json((await proxy(['import', 'nginx', nginx, '--json'])).stdout)
    assert.deepEqual(printed, {
      ok: true,
      file: nginx,
      notes: [
        { file: nginx, line: 1, directive: 'gzip on', why: 'bodies are not compressed here: let the service do it' },
      ],
      yaml: told.stdout,
    })
    const out = join(folder, 'imported.yaml')
    const written = json((await proxy(['import', 'nginx', nginx, '-o', out, '--json'])).stdout)
    assert.deepEqual(Object.keys(written), ['ok', 'file', 'notes'])
    assert.equal(readFileSync(out, 'utf8'), told.stdout)

    const broken = file('broken.conf', 'server {\n  listen 80\n}\n')
    const refused = await proxy(['import', 'nginx', broken, '--json'])
    assert.equal(refused.status, 1)
    const { ok, problems } = json(refused.stdout) as { ok: boolean; problems: { file: string; line: number }[] }
    assert.deepEqual([ok, problems[0]!.file, problems[0]!.line], [false, broken, 3])
  })

  test('render', async () => {
    const told = await proxy(['render', 'nginx', good])
    assert.equal(told.status, 0, told.stderr)
    assert.match(told.stderr, /web-1: nginx without its commercial part has no sticky cookies/)
    const { text, warnings, ...rest } = json((await proxy(['render', 'nginx', good, '--json'])).stdout)
    assert.equal(text, told.stdout)
    assert.deepEqual(rest, { ok: true, engine: 'nginx', file: good })
    assert.deepEqual(`${(warnings as string[]).join('\n')}\n`, told.stderr.split('\n').slice(1).join('\n'))
    const out = join(folder, 'haproxy.cfg')
    const written = json((await proxy(['render', 'haproxy', good, '-o', out, '--json'])).stdout)
    assert.deepEqual(Object.keys(written), ['ok', 'engine', 'file', 'warnings'])
    assert.match(readFileSync(out, 'utf8'), /^# Made by synod proxy render haproxy/)
    const refused = await proxy(['render', 'nginx', bad, '--json'])
    assert.equal(refused.status, 1)
    const { ok, problems } = json(refused.stdout) as { ok: boolean; problems: { line: number; message: string }[] }
    assert.deepEqual([ok, problems[0]!.line], [false, problem.line])
  })

  test('sync says what it lacks before it does anything', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [['sync'], /say for which engine: nginx or haproxy/],
      [['sync', 'nginx', '--config', good], /say what and where: synod proxy sync nginx --config FILE --out PATH/],
      [['sync', 'nginx', '--config', good, '--out', '/nowhere/x'], /say how nginx is reloaded: --pid-file PATH/],
    ]
    for (const [args, wanted] of cases) {
      const { status, stderr } = await proxy(args)
      assert.equal(status, 2)
      assert.match(stderr, wanted)
    }
    const wrong = await proxy(['sync', 'nginx', '--config', bad, '--out', '/nowhere/x', '--pid-file', '/nowhere/pid'])
    assert.equal(wrong.status, 1)
    assert.match(wrong.stderr, /bad\.yaml:2:14 listeners\[0\]\.address/)
  })
})
