import type { Network } from '../../runtime/index.ts'
import type { TrafficRuntime } from '../resolvers/index.ts'
import { checkUpstreamSettings } from './check-settings.ts'
import { KeptUpstream } from './kept-upstream.ts'
import type { UpstreamSettings } from './settings.ts'
import type { Upstream } from './upstream.ts'

/** What only this process knows of an upstream. */
export interface UpstreamOptions {
  /**
   * Whether this process makes the active checks. False: it is told what another finds, by `importHealth`; until then
   * endpoints are unknown. Default true.
   */
  readonly activeChecks?: boolean | undefined
  /**
   * What checks connect over. Give a TLS network where the endpoints are reached by TLS; it must offer the protocol of
   * the check by ALPN (`http/1.1` or none for HTTP and TCP, `h2` for gRPC). Default: that of the runtime.
   */
  readonly checkNetwork?: Network | undefined
  /** Names this caller among others, for the choice of its subset. Default: drawn at random. */
  readonly callerId?: string | undefined
}

/**
 * Opens a group of endpoints: follows its sources, checks and ejects endpoints, and chooses one for each request.
 * Returns at once; until the sources have answered (`ready`) there are no endpoints. Close it when done: it holds timers
 * and watches.
 *
 * @throws RangeError when it cannot work by the settings: names the setting, its value, and what it may be.
 *
 * @example
 * const upstream = openUpstream(upstreamSettings('orders', [{ type: 'registry', service: 'orders' }]), runtime)
 * await upstream.ready()
 * const endpoint = upstream.pick({})
 */
export function openUpstream(
  settings: UpstreamSettings,
  outside: TrafficRuntime,
  options: UpstreamOptions = {},
): Upstream {
  checkUpstreamSettings(settings)
  return new KeptUpstream(settings, outside, options)
}
