/** Which requests are mirrored; the copy itself is `Mirror`. */
import type { ExchangeCore } from './exchange-core.ts'
import { Mirror, mirrorsMax } from './mirror.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import type { IdSource, RequestPlan } from './request-plan.ts'

/** Sends a copy of a request to `upstream`, if chance, the bound on mirrors and the upstream's state allow it. */
export function openMirror(
  core: ExchangeCore,
  upstream: ProxyUpstream,
  plan: RequestPlan,
  ids: IdSource,
): Mirror | undefined {
  if (plan.head.upgrade !== undefined || core.random.float() * 100 >= plan.route!.config.mirror!.percent)
    return undefined
  const endpoint =
    core.mirrors >= mirrorsMax || !core.ledger.takesMirrors ? undefined : core.chooser.pick(upstream, plan, undefined)
  if (endpoint === undefined || typeof endpoint === 'string') {
    core.mirrorDropped()
    return undefined
  }
  core.mirrorBegun()
  return new Mirror(core, upstream, endpoint, plan.outgoingTo(upstream, ids))
}
