// Starts `synod proxy run` as a real process for tests, and tells where it listens.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { nodeEnvironment, nodeFlags } from '../../node-flags.mjs'

const root = join(import.meta.dirname, '..', '..')

export interface ProxyProcess {
  readonly child: ChildProcess
  readonly processId: number
  readonly workers: readonly number[]
  readonly admin: number
  /** What it wrote on standard error so far. */
  readonly log: () => string
  port(listener: string): number
  /** GET, or POST, an admin page. */
  ask(method: string, path: string): Promise<{ readonly status: number; readonly body: string }>
  /** Its exit status; undefined when a signal ended it. */
  ended(): Promise<number | undefined>
  kill(): Promise<void>
}

interface Started {
  readonly processId: number
  readonly workers: readonly { readonly processId: number }[]
  readonly listeners: readonly { readonly name: string; readonly port: number }[]
  readonly admin: { readonly port: number }
}

/** `config` is written to `folder`/proxy.yaml first. */
export async function startProxy(folder: string, config: string, args: readonly string[] = []): Promise<ProxyProcess> {
  const file = join(folder, 'proxy.yaml')
  writeFileSync(file, config)
  return startProxyWith(folder, ['--config', file, ...args])
}

/** `synod proxy run` with these arguments; `folder` takes its script. */
export async function startProxyWith(folder: string, args: readonly string[]): Promise<ProxyProcess> {
  const run = pathToFileURL(join(root, 'src/cli/proxy/run.ts')).href
  // Not by --eval: workers inherit the flags of the process that forks them.
  const script = join(folder, 'run.mjs')
  writeFileSync(script, `const { run } = await import(${JSON.stringify(run)})\nawait run(process.argv.slice(2))\n`)
  const flags = [...nodeFlags, script, '--json', ...args]
  const child = spawn(process.execPath, flags, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: nodeEnvironment(root, process.env),
  })
  let log = ''
  child.stderr!.on('data', (bytes: Buffer) => {
    log += bytes.toString()
  })
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  const line = await Promise.race([firstLine(child), exited.then(() => undefined)])
  if (!line) throw new Error(`the proxy did not start: ${log}`)
  const started = JSON.parse(line) as Started
  return {
    child,
    processId: started.processId,
    workers: started.workers.map(({ processId }) => processId),
    admin: started.admin.port,
    log: () => log,
    port: (listener) => started.listeners.find(({ name }) => name === listener)!.port,
    ask: (method, path) => ask(started.admin.port, method, path),
    ended: async () => (await exited)[0] ?? undefined,
    kill: async () => {
      // Its workers end with it: they see the channel to it close.
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
    },
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  let text = ''
  for await (const bytes of child.stdout!) {
    text += String(bytes)
    if (text.includes('\n')) break
  }
  return text.split('\n')[0]!
}

function ask(port: number, method: string, path: string): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port, method, path }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => {
        body += bytes.toString()
      })
      response.on('end', () => resolve({ status: response.statusCode!, body }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

export interface Backend {
  readonly port: number
  /** Requests that have arrived. */
  readonly arrived: () => number
  close(): void
}

/** Answers `NAME URL`, after `delayMs`. */
export async function startBackend(name: string, delayMs = 0): Promise<Backend> {
  let arrived = 0
  const server = http.createServer((request, response) => {
    arrived++
    request.resume()
    request.on('end', () => setTimeout(() => response.end(`${name} ${request.url}`), delayMs).unref())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    arrived: () => arrived,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** Asks until `test` holds; fails after a while. */
export async function until(what: string, test: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + 20_000
  while (!(await test())) {
    if (Date.now() > deadlineMs) throw new Error(`it never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
