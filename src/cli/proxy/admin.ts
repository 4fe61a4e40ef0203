/** synod proxy reload, drain, status: tell a running proxy, by its admin address, what to do. */
import { request } from 'node:http'
import type { ProxyStatus } from '../../proxy/processes/index.ts'
import { parseArguments } from '../arguments.ts'
import { CommandError, formatTable, printJson, printLine } from '../output.ts'

const timeoutMs = 30_000

interface Answer {
  readonly status: number
  readonly body: unknown
}

export async function reload(args: readonly string[]): Promise<void> {
  const { admin, isJson } = readFlags(args)
  const { status, body } = await ask(admin, 'POST', '/reload')
  const { ok, problems } = body as { readonly ok?: unknown; readonly problems?: unknown }
  if (typeof ok !== 'boolean' || !Array.isArray(problems) || ok !== (status === 200)) throw noAdminOf(admin, body)
  if (isJson) printJson(body)
  if (!ok) throw new CommandError(`the configuration was not taken; the old one goes on:\n${problems.join('\n')}`)
  if (!isJson) printLine('taken')
}

export async function drain(args: readonly string[]): Promise<void> {
  const { admin, isJson } = readFlags(args)
  const { status, body } = await ask(admin, 'POST', '/drain')
  if (status !== 202) throw new CommandError(`${admin} answered with status ${status}: ${JSON.stringify(body)}`)
  if (isJson) printJson(body)
  else printLine('draining: it ends when what is under way is finished')
}

export async function status(args: readonly string[]): Promise<void> {
  const { admin, isJson } = readFlags(args)
  const { status, body } = await ask(admin, 'GET', '/status')
  if (status !== 200) throw noAdminOf(admin, body)
  if (isJson) return printJson(body)
  printStatus(body as ProxyStatus & { readonly reloadProblems: readonly string[] })
}

function noAdminOf(admin: string, body: unknown): CommandError {
  return new CommandError(
    `${admin} is no admin address of a Synod proxy: it answered ${JSON.stringify(body).slice(0, 80)}`,
  )
}

function readFlags(args: readonly string[]): { readonly admin: string; readonly isJson: boolean } {
  const { flags } = parseArguments('proxy', args, { admin: { type: 'string' }, json: { type: 'boolean' } })
  const admin = flags['admin']
  if (typeof admin !== 'string') throw new CommandError('name the admin address of the proxy: --admin HOST:PORT', 2)
  return { admin, isJson: flags['json'] === true }
}

function ask(admin: string, method: 'GET' | 'POST', path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let url: URL
    try {
      url = new URL(path, `http://${admin}`)
    } catch {
      reject(new CommandError(`"${admin}" is no address: write HOST:PORT`, 2))
      return
    }
    const sent = request(url, { method, timeout: timeoutMs }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) as unknown })
        } catch {
          reject(new CommandError(`${admin} is no admin address of a Synod proxy: it answered ${text.slice(0, 80)}`))
        }
      })
    })
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)))
    sent.on('error', (error) => reject(new CommandError(`cannot ask ${admin}: ${error.message}. Does the proxy run?`)))
    sent.end()
  })
}

function printStatus(status: ProxyStatus & { readonly reloadProblems: readonly string[] }): void {
  const { configVersion, isDraining, crashes, workers, listeners, upstreams, reloadProblems } = status
  printLine(`configuration ${configVersion}${isDraining ? ', draining' : ''}, ${crashes} crashes`)
  for (const problem of reloadProblems) printLine(`last reload refused: ${problem}`)
  printLine('')
  const workerRows = workers.map((worker) => [`${worker.processId}`, worker.state, `${worker.connections}`])
  printLine(formatTable(['WORKER', 'STATE', 'CONNECTIONS'], workerRows))
  printLine('')
  const listenerRows = listeners.map(({ name, protocol, host, port, connections, accepted }) => {
    return [name, protocol, `${host}:${port}`, `${connections}`, `${accepted}`]
  })
  printLine(formatTable(['LISTENER', 'PROTOCOL', 'ADDRESS', 'CONNECTIONS', 'ACCEPTED'], listenerRows))
  printLine('')
  const endpointRows = upstreams.flatMap(({ name, endpoints, sources }) => {
    const rows = endpoints.map((endpoint) => endpointRow(name, endpoint))
    const none = sources.length === 0 ? '' : 'no source has told of any'
    return rows.length > 0 ? rows : [[name, '-', 'none', '', '', '', '', '', '', none]]
  })
  const heads = ['UPSTREAM', 'ENDPOINT', 'STATE', 'ACTIVE', 'GOOD', 'BAD', 'EJECTED', 'LATENCY MS', 'PHI', 'REASON']
  printLine(formatTable(heads, endpointRows))
  for (const { name, sources } of upstreams) {
    for (const { type, error } of sources.filter(({ state }) => state === 'failing'))
      printLine(`${name}: its source ${type} fails; what it told before stays in use: ${error}`)
  }
}

/** Suspicion is there where endpoints are checked actively. */
function endpointRow(upstream: string, endpoint: ProxyStatus['upstreams'][number]['endpoints'][number]): string[] {
  const { address, state, active, successes, failures, ejections, latencyMs, phi, reason } = endpoint
  const counts = [active, successes, failures, ejections].map(String)
  return [upstream, address, state, ...counts, latencyMs.toFixed(1), phi?.toFixed(1) ?? '', reason]
}
