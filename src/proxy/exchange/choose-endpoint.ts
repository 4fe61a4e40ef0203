/** Which upstream and endpoint a request goes to. */

import type { PickRequest } from '../../core/balance/index.ts'
import type { PickRefusal, UpstreamEndpoint } from '../../traffic/upstream/index.ts'
import type { RouteConfig } from '../config/index.ts'
import type { Attempt } from './attempt.ts'
import type { ActiveRoute } from './compiled-listener.ts'
import { cookieValue, stickyCookie } from './cookie.ts'
import { hashKeyOf } from './hash-key.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import type { RequestPlan } from './request-plan.ts'

/** The endpoint that a client's cookie names. */
export interface StickyChoice {
  readonly upstream: ProxyUpstream
  readonly endpoint: UpstreamEndpoint
}

/** Where the client was before; undefined when it was nowhere, or that endpoint gets no requests now. */
export function stickyChoice(
  route: ActiveRoute,
  sticky: NonNullable<RouteConfig['sticky']>,
  plan: RequestPlan,
): StickyChoice | undefined {
  const value = cookieValue(plan.head, sticky.cookie)
  if (value === undefined) return undefined
  for (const upstream of route.targets) {
    const endpoint = upstream.findSticky(value)
    if (endpoint !== undefined) return { upstream, endpoint }
  }
  return undefined
}

/** The upstream for a request that is not bound to one: by the weights of the route. */
export function splitTarget(route: ActiveRoute): ProxyUpstream {
  const { split } = route.compiled
  return split === undefined ? route.targets[0]! : route.targets[split.next()]!
}

/** The `set-cookie` for the endpoint that answered; undefined when the client has it, or needs none. */
export function stickyCookieOf(route: ActiveRoute, plan: RequestPlan, { endpoint, slot }: Attempt): string | undefined {
  const { sticky } = route.config
  if (sticky === undefined || stickyChoice(route, sticky, plan)?.endpoint === endpoint) return undefined
  return stickyCookie(sticky, slot.stickyValue, plan.head.scheme)
}

/** Asks upstreams. One for each handler: what it passes to them is used again for every request. */
export class EndpointChooser {
  private tried: Attempt | undefined
  private readonly request: { key: string | undefined; isExcluded: PickRequest<UpstreamEndpoint>['isExcluded'] }
  private readonly wasTried = (endpoint: UpstreamEndpoint): boolean => {
    for (let attempt = this.tried; attempt !== undefined; attempt = attempt.previous) {
      if (attempt.endpoint === endpoint) return true
    }
    return false
  }

  constructor() {
    this.request = { key: undefined, isExcluded: undefined }
  }

  /** An endpoint that none of `tried` went to, while there is one. */
  pick(upstream: ProxyUpstream, plan: RequestPlan, tried: Attempt | undefined): UpstreamEndpoint | PickRefusal {
    const { request } = this
    request.key = hashKeyOf(plan, upstream)
    this.tried = tried
    request.isExcluded = tried === undefined ? undefined : this.wasTried
    let picked = upstream.upstream.pick(request)
    if (picked === 'all-tried') {
      request.isExcluded = undefined
      picked = upstream.upstream.pick(request)
    }
    this.tried = undefined
    return picked
  }
}
