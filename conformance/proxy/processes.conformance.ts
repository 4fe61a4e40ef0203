// Workers of real proxies: crashes, reloads and drains, under load.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { get } from './one-request.ts'
import { startBackend, startProxy, until } from './proxy-process.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  return folder
}

async function backend(name: string, delayMs = 0): Promise<number> {
  const started = await startBackend(name, delayMs)
  cleanups.push(() => started.close())
  return started.port
}

async function proxy(folder: string, config: string, args: readonly string[] = []) {
  const started = await startProxy(folder, config, args)
  cleanups.push(() => started.kill())
  return started
}

function configOf(to: number, workers: number, more = ''): string {
  return `
admin: 127.0.0.1:0
workers: ${workers}
${more}
listeners:
  - { name: web, address: '127.0.0.1:0', protocol: http, routes: [{ path: /, to: app }] }
upstreams:
  app: { endpoints: ['127.0.0.1:${to}'] }
`
}

/** One HTTP/2 session that asks one thing after another until told to stop; its failures. */
function http2Load(
  port: number,
  isDone: () => boolean,
): { readonly count: () => number; readonly failures: Promise<string[]> } {
  let count = 0
  const failures = (async () => {
    const failed: string[] = []
    let session = http2.connect(`http://127.0.0.1:${port}`)
    session.on('error', () => {})
    while (!isDone()) {
      if (session.closed || session.destroyed) session = http2.connect(`http://127.0.0.1:${port}`).on('error', () => {})
      const outcome = await new Promise<string>((resolve) => {
        const stream = session.request({ ':path': '/h2' })
        let status = 0
        stream.on('response', (head) => {
          status = Number(head[':status'])
        })
        stream.on('error', (error) => resolve(error.message))
        stream.on('close', () => resolve(`${status}`))
        stream.resume()
      })
      count++
      if (outcome !== '200') failed.push(outcome)
    }
    session.close()
    return failed
  })()
  return { count: () => count, failures }
}

test('kill -9 of a worker under load: its own connections end, no other request fails, and a new one comes', async () => {
  const { port, workers, ask } = await proxy(newFolder(), configOf(await backend('app'), 2))
  let isDone = false
  let victimIsDead = false
  const perConnection: string[][] = []
  const fresh: string[] = []
  const load = Array.from({ length: 16 }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const outcomes: string[] = []
    perConnection.push(outcomes)
    while (!isDone) outcomes.push(await get(port('web'), agent))
    agent.destroy()
  })
  // New connections go on being accepted by the other worker, or wait for the new one. Those that the dying worker had
  // accepted already are its own.
  const connecting = (async () => {
    while (!isDone) {
      const startedAfter = victimIsDead
      const outcome = await get(port('web'), false)
      if (startedAfter) fresh.push(outcome)
    }
  })()
  const total = (): number => perConnection.reduce((sum, outcomes) => sum + outcomes.length, 0)
  await until('the load runs', () => total() > 400)
  const victim = workers[0]!
  process.kill(victim, 'SIGKILL')
  await until('the worker is replaced', async () => {
    victimIsDead = true
    const status = JSON.parse((await ask('GET', '/status')).body)
    return (
      status.crashes === 1 && status.workers.filter((each: { state: string }) => each.state === 'serving').length === 2
    )
  })
  const before = total()
  await until('the load goes on', () => total() > before + 400 && fresh.length > 20)
  isDone = true
  await Promise.all([...load, connecting])
  // One failure a connection, at most: the request that was under way on it when its worker died.
  for (const outcomes of perConnection) {
    const failures = outcomes.filter((outcome) => outcome !== '200 app /x')
    assert.ok(failures.length <= 1, failures.join())
  }
  assert.deepEqual(
    fresh.filter((outcome) => outcome !== '200 app /x'),
    [],
  )
  const status = JSON.parse((await ask('GET', '/status')).body)
  assert.ok(!status.workers.some((each: { processId: number }) => each.processId === victim))
})

for (const how of ['SIGHUP', 'a new file', 'the admin page'] as const) {
  test(`reload by ${how} under load fails no request, HTTP/1 and HTTP/2, kept and new connections`, async () => {
    const folder = newFolder()
    const [one, two] = [await backend('one'), await backend('two')]
    const { port, child, ask } = await proxy(folder, configOf(one, 2))
    const file = join(folder, 'proxy.yaml')
    let isDone = false
    const outcomes = new Map<string, number>()
    const note = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
    cleanups.push(() => agent.destroy())
    const load = Array.from({ length: 8 }, async () => {
      while (!isDone) note(await get(port('web'), agent))
    })
    load.push(
      (async () => {
        while (!isDone) note(await get(port('web'), false))
      })(),
    )
    const h2 = http2Load(port('web'), () => isDone)
    await until('HTTP/2 runs', () => h2.count() > 10)
    for (let round = 0; round < 6; round++) {
      const name = round % 2 === 0 ? 'two' : 'one'
      writeFileSync(`${file}.new`, configOf(round % 2 === 0 ? two : one, 2, `# round ${round}`))
      renameSync(`${file}.new`, file)
      if (how === 'SIGHUP') child.kill('SIGHUP')
      else if (how === 'the admin page') assert.equal((await ask('POST', '/reload')).status, 200)
      const seen = outcomes.get(`200 ${name} /x`) ?? 0
      await until(`${name} is served`, () => (outcomes.get(`200 ${name} /x`) ?? 0) > seen + 20)
    }
    isDone = true
    await Promise.all(load)
    assert.deepEqual(await h2.failures, [])
    assert.deepEqual([...outcomes.keys()].sort(), ['200 one /x', '200 two /x'])
  })
}

test('a configuration that is wrong is told with its place, and the old one goes on', async () => {
  const folder = newFolder()
  const { port, ask } = await proxy(folder, configOf(await backend('app'), 2))
  writeFileSync(join(folder, 'proxy.yaml'), configOf(1, 2).replace('to: app', 'to: nobody'))
  const { status, body } = await ask('POST', '/reload')
  assert.equal(status, 409)
  assert.match(body, /proxy\.yaml:\d+:\d+ .*nobody/)
  assert.match((await ask('GET', '/status')).body, /"reloadProblems":\[".*nobody/)
  assert.equal(await get(port('web'), false), '200 app /x')
})

for (const workers of [1, 2]) {
  test(`SIGTERM with ${workers} worker(s) finishes what is under way, refuses what is new, and ends with 0`, async () => {
    const slow = await startBackend('app', 1500)
    cleanups.push(() => slow.close())
    const { port, child, ended } = await proxy(newFolder(), configOf(slow.port, workers))
    const underWay = Array.from({ length: 6 }, () => get(port('web'), false))
    await until('the backend has them', () => slow.arrived() === 6)
    child.kill('SIGTERM')
    await until('new ones are refused', async () => (await get(port('web'), false)) === 'ECONNREFUSED')
    for (const outcome of await Promise.all(underWay)) assert.equal(outcome, '200 app /x')
    assert.equal(await ended(), 0)
  })
}

test('a second SIGTERM ends at once, workers and all', async () => {
  const slow = await startBackend('app', 60_000)
  cleanups.push(() => slow.close())
  const { port, child, workers, ended, log } = await proxy(newFolder(), configOf(slow.port, 2))
  const answer = get(port('web'), false)
  await until('the backend has it', () => slow.arrived() === 1)
  child.kill('SIGTERM')
  await until('it drains', () => log().includes('draining'))
  child.kill('SIGTERM')
  await answer
  assert.equal(await ended(), 1)
  for (const worker of workers) assert.throws(() => process.kill(worker, 0), { code: 'ESRCH' })
})

test('workers end when the acceptor is killed', async () => {
  const { child, workers } = await proxy(newFolder(), configOf(await backend('app'), 2))
  child.kill('SIGKILL')
  await until('they are gone', () =>
    workers.every((worker) => {
      try {
        process.kill(worker, 0)
        return false
      } catch {
        return true
      }
    }),
  )
})

test('SIGUSR1 opens the access log again; every request has its line, whole, whichever worker served it', async () => {
  const folder = newFolder()
  const log = join(folder, 'access.log')
  const started = await proxy(folder, configOf(await backend('app'), 2, `accessLog: { file: ${log}, format: json }`))
  const linesOf = (file: string): string[] => {
    try {
      return readFileSync(file, 'utf8').split('\n').slice(0, -1)
    } catch {
      return []
    }
  }
  await Promise.all(Array.from({ length: 200 }, () => get(started.port('web'), false)))
  await until('all are logged', () => linesOf(log).length === 200)
  renameSync(log, `${log}.1`)
  started.child.kill('SIGUSR1')
  await until('the file is there again', async () => {
    await get(started.port('web'), false)
    return linesOf(log).length > 0
  })
  for (const line of [...linesOf(log), ...linesOf(`${log}.1`)]) assert.equal(JSON.parse(line).status, 200)
})

test('an endpoint taken out by the admin page gets nothing from any worker, and everything once put back', async () => {
  const [one, two] = [await backend('one'), await backend('two')]
  const config = configOf(one, 2).replace(/endpoints: .*\]/, `endpoints: ['127.0.0.1:${one}', '127.0.0.1:${two}']`)
  const { port, ask, workers } = await proxy(newFolder(), config)
  const path = `/upstreams/app/endpoints/${encodeURIComponent(`127.0.0.1:${one}`)}`
  assert.equal((await ask('POST', `${path}/drain`)).status, 200)
  const drained = await Promise.all(Array.from({ length: 40 }, () => get(port('web'), false)))
  assert.deepEqual([...new Set(drained)], ['200 two /x'])
  // Workers that take the place of killed ones know of it.
  for (const worker of workers) process.kill(worker, 'SIGKILL')
  await until('they are replaced', async () => {
    const status = JSON.parse((await ask('GET', '/status')).body)
    const serving = status.workers.filter((each: { state: string }) => each.state === 'serving')
    return status.crashes === 2 && serving.length === 2
  })
  const replaced = await Promise.all(Array.from({ length: 40 }, () => get(port('web'), false)))
  assert.deepEqual([...new Set(replaced)], ['200 two /x'])
  assert.equal((await ask('POST', `${path}/undrain`)).status, 200)
  const back = await Promise.all(Array.from({ length: 40 }, () => get(port('web'), false)))
  assert.deepEqual([...new Set(back)].sort(), ['200 one /x', '200 two /x'])
  assert.equal((await ask('POST', '/upstreams/app/endpoints/none/drain')).status, 404)
})
