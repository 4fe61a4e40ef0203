// One configuration on three engines: ours, nginx and HAProxy as rendered. Each runs on a free port of loopback, with its
// files in a temporary folder; programs are ended by the process that was started here.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ProxyConfig, parseProxyConfig } from '../../src/proxy/config/index.ts'
import { createWorkerOutside, startSingleProcess } from '../../src/proxy/processes/index.ts'
import { renderHaproxy, renderNginx } from '../../src/proxy/render/index.ts'
import { requirePeer } from '../peers.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Ask {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A backend that tells, as JSON, who it is and what it was asked; it answers with the headers that `x-answer-NAME` asks for. */
export async function startEcho(name: string): Promise<{ readonly port: number; close(): void }> {
  const server: Server = createServer((incoming, outgoing) => {
    incoming.resume()
    incoming.on('end', () => {
      outgoing.setHeader('server', 'echo')
      outgoing.setHeader('x-from', name)
      for (const [header, value] of Object.entries(incoming.headers)) {
        if (header.startsWith('x-answer-')) outgoing.setHeader(header.slice(9), String(value))
      }
      outgoing.end(JSON.stringify({ name, method: incoming.method, url: incoming.url, headers: incoming.headers }))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createTcpServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((done) => server.close(() => done()))
  return port
}

export function configOf(yaml: string): ProxyConfig {
  const parsed = parseProxyConfig(yaml, { file: '/tmp/proxy.yaml' })
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, undefined, 1))
  return parsed.config
}

export interface RunningEngine {
  readonly name: string
  readonly port: number
  stop(): Promise<void>
}

export const engines = ['ours', 'nginx', 'haproxy'] as const

/** Starts `engine` with the configuration that `yaml` gives for a port. */
export async function startEngine(
  engine: (typeof engines)[number],
  yaml: (port: number) => string,
): Promise<RunningEngine> {
  const port = await freePort()
  const config = configOf(yaml(port))
  if (engine === 'ours') {
    const outside = createWorkerOutside({ logLevel: 'warn', logFormat: 'text', registry: undefined })
    const proxy = await startSingleProcess(config, outside)
    return {
      name: engine,
      port,
      stop: async () => {
        await proxy.stop()
        await outside.close()
      },
    }
  }
  const folder = mkdtempSync(join(tmpdir(), `synod-${engine}-`))
  const file = join(folder, 'engine.conf')
  const input = { config, resolved: new Map(), pidFile: join(folder, 'pid') }
  writeFileSync(file, (engine === 'nginx' ? renderNginx(input) : renderHaproxy(input)).text)
  checkFile(engine, file, folder)
  const args =
    engine === 'nginx' ? ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;'] : ['-f', file, '-db']
  const child = spawn(requirePeer(engine), args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000)
  })
  await listening(port, child, () => said)
  return {
    name: engine,
    port,
    stop: async () => {
      const ended = new Promise((done) => child.once('exit', done))
      child.kill('SIGTERM')
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Asks the engine itself; throws with what it says and the file. */
export function checkFile(engine: 'nginx' | 'haproxy', file: string, folder: string): void {
  const args = engine === 'nginx' ? ['-t', '-c', file, '-p', folder] : ['-c', '-f', file]
  const { status, stderr, stdout } = spawnSync(requirePeer(engine), args, { encoding: 'utf8', timeout: 20_000 })
  if (status !== 0) throw new Error(`${engine} refuses it:\n${stdout}${stderr}\n${readFileSync(file, 'utf8')}`)
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; ) {
    if (child.exitCode !== null) break
    const isOpen = await new Promise<boolean>((done) => {
      const socket = connect(port, '127.0.0.1', () => done(true))
      socket.on('error', () => done(false))
      socket.on('connect', () => socket.destroy())
    })
    if (isOpen) return
    await new Promise((next) => setTimeout(next, 20))
  }
  child.kill('SIGKILL')
  throw new Error(`it does not listen: ${said()}`)
}

export function ask(port: number, asked: Ask): Promise<Answer> {
  return answerOf(port, asked, false)
}

/** Asks over connections that are kept. */
export class Asker {
  private readonly port: number
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 })

  constructor(port: number) {
    this.port = port
  }

  ask(asked: Ask): Promise<Answer> {
    return answerOf(this.port, asked, this.agent)
  }

  close(): void {
    this.agent.destroy()
  }
}

function answerOf(port: number, { method = 'GET', path, headers = {} }: Ask, agent: Agent | false): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent }, (incoming) => {
      let body = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        body += chunk
      })
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }))
      incoming.on('error', reject)
    })
    sent.setTimeout(10_000, () => sent.destroy(new Error('no answer in 10 s')))
    sent.on('error', reject)
    sent.end()
  })
}

/** Resolves when something answers there; rejects after 10 s. */
export async function untilItAnswers(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; ) {
    try {
      await ask(port, { path: '/' })
      return
    } catch (error) {
      if (Date.now() > deadline) throw error
      await new Promise((next) => setTimeout(next, 20))
    }
  }
}
