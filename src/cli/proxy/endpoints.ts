/** The endpoints of upstreams that are not written in the configuration: from DNS, files, and the registry. */
import type { ProxyConfig } from '../../proxy/config/index.ts'
import { createWorkerOutside } from '../../proxy/processes/index.ts'
import { type EndpointAddress, openUpstream, type Upstream } from '../../traffic/index.ts'
import { CommandError } from '../output.ts'

/** Sources that have not answered by then have no endpoints. */
const waitMs = 10_000

/** Upstreams of a configuration being followed. */
export interface FollowedEndpoints {
  /** As they are now, by upstream; those that their registry calls unhealthy are left out. */
  current(): ReadonlyMap<string, readonly EndpointAddress[]>
  /** Resolves when all sources have answered. Rejects, naming the upstream, when one has not in time. */
  ready(): Promise<void>
  close(): Promise<void>
}

/** Follows all sources that are not static. `onChange`: something may be otherwise. */
export function followEndpoints(config: ProxyConfig, onChange: () => void): FollowedEndpoints {
  const outside = createWorkerOutside({ logLevel: 'warn', logFormat: 'text', registry: config.registry })
  const moving = config.upstreams.filter(({ settings }) => settings.sources.some(({ type }) => type !== 'static'))
  const upstreams = moving.map(({ settings }): readonly [string, Upstream] => {
    const upstream = openUpstream({ ...settings, activeCheck: undefined, outlier: undefined }, outside, {
      activeChecks: false,
    })
    upstream.onChange(onChange)
    return [settings.name, upstream]
  })
  return {
    current: () =>
      new Map(
        upstreams.map(([name, upstream]) => {
          const usable = upstream.endpoints.filter(({ state }) => state !== 'unhealthy' && state !== 'draining')
          return [name, usable.map(({ address }) => address)]
        }),
      ),
    ready: async () => {
      for (const [name, upstream] of upstreams) {
        await upstream.ready(AbortSignal.timeout(waitMs)).catch(() => {
          const told = upstream.view().sources.flatMap(({ error }) => (error === '' ? [] : [error]))
          throw new CommandError(
            `upstream ${name}: its endpoints are not known within ${waitMs / 1_000} s: ${told.join('; ') || 'no answer'}`,
          )
        })
      }
    },
    close: async () => {
      for (const [, upstream] of upstreams) upstream.close()
      await outside.close()
    },
  }
}

/** The endpoints as they are now. */
export async function resolveEndpoints(config: ProxyConfig): Promise<ReadonlyMap<string, readonly EndpointAddress[]>> {
  const followed = followEndpoints(config, () => {})
  try {
    await followed.ready()
    return followed.current()
  } finally {
    await followed.close()
  }
}
