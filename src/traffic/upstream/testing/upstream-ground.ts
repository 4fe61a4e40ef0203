/** Upstreams in simulated time, for tests. */
import { createSimulation, type Simulation } from '../../../runtime/simulation/index.ts'
import type { TrafficRuntime } from '../../resolvers/index.ts'
import {
  type EndpointAddress,
  openUpstream,
  type Upstream,
  type UpstreamEndpoint,
  type UpstreamOptions,
  type UpstreamSettings,
  upstreamSettingsDefault,
} from '../index.ts'

export interface UpstreamGround {
  readonly simulation: Simulation
  readonly runtime: TrafficRuntime
  open(settings: Partial<UpstreamSettings>, options?: UpstreamOptions): Upstream
  /** Lets simulated time pass. */
  pass(ms: number): Promise<void>
  until(holds: () => boolean): Promise<void>
}

/** Runs `work` in a simulated world; what it opened is closed afterwards. */
export async function onUpstreamGround(
  seed: number,
  work: (ground: UpstreamGround) => Promise<void>,
  extra: Partial<TrafficRuntime> = {},
): Promise<void> {
  const simulation = createSimulation({ seed })
  const runtime: TrafficRuntime = { ...simulation.createNode('machine').runtime, ...extra }
  const opened: Upstream[] = []
  const pass = (ms: number): Promise<void> =>
    new Promise((resolve) => void runtime.scheduler.setTimer(ms, () => resolve()))
  const ground: UpstreamGround = {
    simulation,
    runtime,
    pass,
    open(settings, options) {
      const upstream = openUpstream(settingsOf(settings), runtime, options)
      opened.push(upstream)
      return upstream
    },
    async until(holds) {
      for (let passedMs = 0; !holds(); passedMs += 10) {
        if (passedMs > 600_000) throw new Error(`it does not come about: ${holds}`)
        await pass(10)
      }
    },
  }
  const run = async (): Promise<void> => {
    await work(ground)
    for (const upstream of opened) upstream.close()
  }
  await simulation.runUntilDone(run())
}

/** The defaults, with others where given. */
export function settingsOf(settings: Partial<UpstreamSettings>): UpstreamSettings {
  return { ...upstreamSettingsDefault, name: 'orders', sources: [], ...settings }
}

export function address(id: string, more: Partial<EndpointAddress> = {}): EndpointAddress {
  return { id, host: `host-${id}`, port: 80, weight: 1, priority: 0, zone: '', metadata: {}, ...more }
}

/** A static source of endpoints with these ids. */
export function staticSource(...ids: readonly string[]): UpstreamSettings['sources'][number] {
  return { type: 'static', endpoints: ids.map((id) => address(id)) }
}

/** One request: the id of the endpoint it went to, or why there was none. */
export function send(upstream: Upstream, result: 'success' | 'failure' = 'success', latencyMs = 1): string {
  const chosen = upstream.pick({})
  if (typeof chosen === 'string') return chosen
  const permit = upstream.begin(chosen)
  upstream.end(chosen, result, latencyMs, permit)
  return chosen.id
}

/** How many of so many requests each got. */
export function spread(upstream: Upstream, requests: number): Record<string, number> {
  const counts: Record<string, number> = {}
  for (let n = 0; n < requests; n++) {
    const id = send(upstream)
    counts[id] = (counts[id] ?? 0) + 1
  }
  return counts
}

/** So many requests fail at this endpoint. */
export function fail(upstream: Upstream, id: string, times: number): void {
  const endpoint = upstream.endpoints.find((one) => one.id === id) as UpstreamEndpoint
  for (let n = 0; n < times; n++) {
    const permit = upstream.begin(endpoint)
    upstream.end(endpoint, 'failure', 1, permit)
  }
}
