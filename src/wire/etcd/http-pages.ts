/**
 * The pages that etcd serves over HTTP/1.1 next to gRPC: /health, /livez, /readyz (and one page for each of their
 * checks), /version and /metrics, with etcd 3.6's contents.
 */
import type { CoordinationEngine } from '../../engine/coordination/index.ts'
import type { Http1Handler, Http1Request, Http1Response, Http1Routes } from '../http1/index.ts'
import { type HealthCheck, healthReason, livenessChecks, readinessChecks } from './health-checks.ts'
import { type MetricsSource, metricsPage } from './metrics/index.ts'
import { etcdClusterVersion, etcdVersion, synodVersion } from './versions.ts'

export interface HttpPagesContext extends Omit<MetricsSource, 'health'> {
  readonly engine: CoordinationEngine
}

/** Handlers by path, for the HTTP/1.1 server. */
export function httpPages(context: HttpPagesContext): Http1Routes {
  const { engine } = context
  const health = { successes: 0, failures: 0 }
  return {
    '/health': onlyGet(async (request) => {
      const serializable = request.query.get('serializable') === 'true'
      const reason = await healthReason(engine, excluded(request), serializable)
      if (reason === undefined) health.successes++
      else health.failures++
      const body = JSON.stringify({ health: String(reason === undefined), reason: reason ?? '' })
      return reason === undefined ? { status: 200, headers: textHeaders, body } : failure(503, body)
    }),
    ...checkPages('/livez', livenessChecks, engine),
    ...checkPages('/readyz', readinessChecks, engine),
    '/version': onlyGet(() => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        etcdserver: etcdVersion,
        etcdcluster: etcdClusterVersion,
        storage: etcdClusterVersion,
        synod: synodVersion,
      }),
    })),
    '/metrics': onlyGet(() => ({
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      body: metricsPage({ ...context, health: () => health }),
    })),
  }
}

/** A page for all the checks, and one for each. */
function checkPages(path: string, checks: ReadonlyMap<string, HealthCheck>, engine: CoordinationEngine): Http1Routes {
  const routes: Record<string, Http1Handler> = {
    [path]: onlyGet((request) => runChecks(request, engine, without(checks, excluded(request)))),
  }
  for (const [name, check] of checks) {
    routes[`${path}/${name}`] = onlyGet((request) => runChecks(request, engine, new Map([[name, check]])))
  }
  return routes
}

/** A failed page always says why; a good one only when asked (`?verbose`). */
async function runChecks(
  request: Http1Request,
  engine: CoordinationEngine,
  checks: ReadonlyMap<string, HealthCheck>,
): Promise<Http1Response> {
  const failures = await Promise.all([...checks].map(async ([name, check]) => [name, await check(engine)] as const))
  const reason = failures
    .map(([name, error]) => (error === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${error}\n`))
    .join('')
  if (failures.some(([, error]) => error !== undefined)) return failure(503, reason)
  const body = request.query.has('verbose') ? `${reason}ok\n` : 'ok\n'
  return { status: 200, headers: { ...textHeaders, 'x-content-type-options': 'nosniff' }, body }
}

function without(checks: ReadonlyMap<string, HealthCheck>, names: ReadonlySet<string>): Map<string, HealthCheck> {
  return new Map([...checks].filter(([name]) => !names.has(name)))
}

function excluded(request: Http1Request): Set<string> {
  return new Set(request.query.getAll('exclude').filter((name) => name !== ''))
}

function onlyGet(handler: Http1Handler): Http1Handler {
  return (request) => {
    if (request.method === 'GET') return handler(request)
    const refused = failure(405, 'Method Not Allowed')
    return { ...refused, headers: { ...refused.headers, allow: 'GET' } }
  }
}

const textHeaders = { 'content-type': 'text/plain; charset=utf-8' }

/** As Go's `http.Error`, which etcd uses. */
function failure(status: number, text: string): Http1Response {
  return { status, headers: { ...textHeaders, 'x-content-type-options': 'nosniff' }, body: `${text}\n` }
}
