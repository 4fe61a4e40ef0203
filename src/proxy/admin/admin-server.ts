/**
 * The admin pages of a proxy: `GET /health`, `/status` (JSON), `/metrics` (Prometheus); `POST /reload`, `/drain`,
 * `/upstreams/NAME/endpoints/ID/drain` and `…/undrain`.
 *
 * - D1  Whoever reaches the address may do all of it: the configuration refuses addresses other than loopback unless told.
 * - D2  A browser's page can reach loopback too: requests that say they come from one (`origin`, `sec-fetch-site`), and
 *       those for a host that is not this address (DNS rebinding), are refused with 403.
 */
import type { Address, Connection, Logger, Network, Scheduler } from '../../runtime/index.ts'
import { type Http1Handler, type Http1Request, type Http1Response, Http1Server } from '../../wire/http1/index.ts'
import { parseCidr } from '../forwarded/index.ts'
import type { ProxyStatus } from '../processes/index.ts'
import { statusMetrics } from './status-metrics.ts'

/** What the pages show and do. */
export interface AdminTarget {
  status(): Promise<ProxyStatus>
  /** Reads the configuration again. Resolves with what is wrong; empty when it was taken. */
  reload(): Promise<readonly string[]>
  /** Begins to drain, and returns at once. */
  drain(): void
  setEndpointDraining(upstream: string, endpoint: string, draining: boolean): Promise<boolean>
  /** Why the last reload was refused; empty when it was taken. */
  readonly lastReloadProblems: readonly string[]
}

export interface AdminServer {
  readonly address: Address
  close(): Promise<void>
}

export interface AdminInit {
  readonly network: Network
  readonly scheduler: Scheduler
  readonly logger: Logger
  readonly target: AdminTarget
}

/** A person, a script and a scraper need few. */
const connectionsMax = 64
const endpointPath = /^\/upstreams\/([^/]+)\/endpoints\/([^/]+)\/(drain|undrain)$/

/** Listens; rejects with a `ListenError`. */
export async function startAdmin(address: Address, init: AdminInit): Promise<AdminServer> {
  const { network, scheduler, logger, target } = init
  const open = new Set<Connection>()
  const http1 = new Http1Server({ scheduler, logger, routes: [routesOf(target, address.host)] })
  const listener = await network.listen(address, (connection) => {
    if (open.size >= connectionsMax) {
      connection.setHandler({ onData() {}, onClose() {} })
      connection.destroy()
      return
    }
    open.add(connection)
    const served = http1.accept(connection, new Uint8Array(0))
    connection.setHandler({
      onData: (bytes) => served.onData(bytes),
      onEnd: () => served.onEnd?.(),
      onDrain: () => served.onDrain?.(),
      onClose: (reason) => {
        open.delete(connection)
        served.onClose(reason)
      },
    })
  })
  return {
    address: listener.address,
    close: async () => {
      await listener.close()
      for (const connection of open) connection.destroy()
    },
  }
}

function routesOf(target: AdminTarget, host: string): Record<string, Http1Handler> {
  const get = (answer: () => Promise<Http1Response>): Http1Handler => guarded(host, ['GET', 'HEAD'], answer)
  const post = (answer: (request: Http1Request) => Promise<Http1Response>): Http1Handler =>
    guarded(host, ['POST'], answer)
  return {
    '/health': get(async () => health(await target.status())),
    '/status': get(async () => json(200, { ...(await target.status()), reloadProblems: target.lastReloadProblems })),
    '/metrics': get(async () => ({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      body: statusMetrics(await target.status()),
    })),
    '/reload': post(async () => {
      const problems = await target.reload()
      return json(problems.length === 0 ? 200 : 409, { ok: problems.length === 0, problems })
    }),
    '/drain': post(async () => {
      target.drain()
      return json(202, { ok: true })
    }),
    '/upstreams/*': post(async ({ path }) => {
      const match = endpointPath.exec(path)
      const names = match === null ? undefined : [decoded(match[1]!), decoded(match[2]!)]
      if (match === null || names?.[0] === undefined || names[1] === undefined)
        return json(404, { ok: false, problems: ['the path is /upstreams/NAME/endpoints/ID/drain or …/undrain'] })
      const found = await target.setEndpointDraining(names[0], names[1], match[3] === 'drain')
      return found
        ? json(200, { ok: true })
        : json(404, { ok: false, problems: ['no upstream has such an endpoint: GET /status lists them'] })
    }),
  }
}

function guarded(
  host: string,
  methods: readonly string[],
  answer: (request: Http1Request) => Promise<Http1Response>,
): Http1Handler {
  return async (request) => {
    const refusal = refusalOf(request, host)
    if (refusal !== undefined) return json(403, { ok: false, problems: [refusal] })
    if (!methods.includes(request.method)) {
      return { ...json(405, { ok: false, problems: [`use ${methods[0]}`] }), headers: { allow: methods.join(', ') } }
    }
    return answer(request)
  }
}

function refusalOf({ headers }: Http1Request, host: string): string | undefined {
  if (headers.has('origin') || headers.has('sec-fetch-site')) return 'the admin pages do not answer to web pages'
  const asked = (headers.get('host') ?? '')
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  // Another site's name may resolve to this address; an address or this machine's own name is no site's.
  if (asked === '' || asked === 'localhost' || asked === host.toLowerCase() || parseCidr(asked) !== undefined)
    return undefined
  return `the admin pages do not answer for the host ${asked}`
}

function health({ isDraining, workers }: ProxyStatus): Http1Response {
  const isServing = !isDraining && workers.some(({ state }) => state === 'serving')
  return json(isServing ? 200 : 503, { health: isServing, isDraining, workers: workers.length })
}

function json(status: number, value: unknown): Http1Response {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(value)}\n` }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
