// The proxies beside each other and the servers behind them: processes of their own, on loopback. A proxy has the first
// core to itself; servers and load generators share the second.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cpuSeconds, pssBytes } from '../load/process-usage.ts'
import { grpcRequestFile } from './workloads.ts'

export type SideName = 'synod' | 'nginx' | 'haproxy'
export const sideNames: readonly SideName[] = ['synod', 'nginx', 'haproxy']

export interface Ports {
  readonly http: number
  readonly tls: number
  readonly http2: number
  readonly tcp: number
}

export interface Side {
  readonly name: SideName
  readonly ports: Ports
  /** Of all its processes. */
  cpuSeconds(): number
  pssBytes(): number
  rssBytes(): number
  stop(): Promise<void>
}

export interface Backends {
  readonly folder: string
  readonly values: Readonly<Record<string, string | number>>
  stop(): Promise<void>
}

const here = import.meta.dirname
const startTimeoutMs = 15_000

export async function startBackends(): Promise<Backends> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-bench-proxy-'))
  // nginx serves as a user of its own.
  chmodSync(folder, 0o755)
  mkdirSync(join(folder, 'files'))
  writeFileSync(join(folder, 'files', '64k'), 'synod '.repeat(10_923).slice(0, 65_536))
  writeFileSync(join(folder, grpcRequestFile), Buffer.alloc(5))
  const key = join(folder, 'key.pem')
  const cert = join(folder, 'cert.pem')
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=bench.example', '-addext', 'subjectAltName=DNS:bench.example,IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'pipe' })
  writeFileSync(join(folder, 'both.pem'), readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'))
  const [backendPort, backendPort2, grpcPort] = await freePorts(3)
  const values = { folder, backendPort: backendPort!, backendPort2: backendPort2!, grpcPort: grpcPort! }
  const servers = launch(1, 'nginx', ['-c', fill('backend.conf', values, folder)], join(folder, 'backend.log'))
  const grpc = launch(1, process.execPath, [join(here, 'grpc-backend.ts'), `${grpcPort}`], join(folder, 'grpc.log'))
  await Promise.all([backendPort!, backendPort2!, grpcPort!].map(listening))
  return {
    folder,
    values,
    stop: async () => {
      await Promise.all([ended(servers), ended(grpc)])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export async function startSide(name: SideName, { folder, values }: Backends): Promise<Side> {
  const [http, tls, http2, tcp] = (await freePorts(4)) as [number, number, number, number]
  const all = { ...values, httpPort: http, tlsPort: tls, http2Port: http2, tcpPort: tcp }
  const child = launchSide(name, all, folder)
  try {
    await Promise.all([http, tls, http2, tcp].map(listening))
  } catch (error) {
    await ended(child)
    const said = readFileSync(join(folder, `${name}.log`), 'utf8').slice(-2_000)
    throw new Error(`${name} did not start: ${(error as Error).message}\n${said}`)
  }
  const sum = (measure: (pid: number) => number) => family(child.pid!).reduce((total, pid) => total + measure(pid), 0)
  return {
    name,
    ports: { http, tls, http2, tcp },
    cpuSeconds: () => sum(cpuSeconds),
    pssBytes: () => sum(pssBytes),
    rssBytes: () => sum(rssBytes),
    stop: () => ended(child),
  }
}

function launchSide(name: SideName, values: Readonly<Record<string, string | number>>, folder: string): ChildProcess {
  const log = join(folder, `${name}.log`)
  switch (name) {
    case 'nginx':
      return launch(0, 'nginx', ['-c', fill('nginx.conf', values, folder)], log)
    case 'haproxy':
      return launch(0, 'haproxy', ['-f', fill('haproxy.cfg', values, folder)], log)
    case 'synod':
      return launch(
        0,
        process.execPath,
        [join(here, '../../synod'), 'proxy', 'run', '--config', fill('synod.yaml', values, folder)],
        log,
      )
  }
}

/** Writes the template with its values filled in, and returns where. */
function fill(template: string, values: Readonly<Record<string, string | number>>, folder: string): string {
  const text = readFileSync(join(here, template), 'utf8').replace(/\$\{(\w+)\}/g, (whole, name: string) =>
    name in values ? String(values[name]) : whole,
  )
  const path = join(folder, template)
  writeFileSync(path, text)
  return path
}

function launch(core: number, command: string, args: readonly string[], log: string): ChildProcess {
  const out = openSync(log, 'a')
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` }
  return spawn('taskset', ['-c', `${core}`, command, ...args], { stdio: ['ignore', out, out], env })
}

/** A process and all that descend from it. */
function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => family(Number(child))))]
}

function rssBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await closed
  clearTimeout(timer)
}

async function listening(port: number): Promise<void> {
  const deadline = performance.now() + startTimeoutMs
  for (;;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port} after ${startTimeoutMs} ms`)
    await delay(20)
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
