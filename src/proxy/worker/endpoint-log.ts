/**
 * Tells the log which endpoints of an upstream go out of use, and why, and which are back. Changes are looked at together,
 * at most once in `lookEveryMs`: what came and went in between is not told, and many at once do not flood the log.
 */
import type { Logger, Scheduler, Timer } from '../../runtime/index.ts'
import { hostPort } from '../../traffic/resolvers/index.ts'
import type { EndpointState, Upstream, UpstreamEndpoint } from '../../traffic/upstream/index.ts'

const lookEveryMs = 500
/** Lines of one look; how many more changed is told in one. */
const linesMax = 20

export class EndpointLog {
  private readonly upstream: Upstream
  private readonly logger: Logger
  private readonly stopListening: () => void
  /** By id, as told last. */
  private told: ReadonlyMap<string, EndpointState>
  private timer: Timer | undefined

  constructor(upstream: Upstream, logger: Logger, scheduler: Scheduler) {
    this.upstream = upstream
    this.logger = logger
    this.told = statesOf(upstream)
    this.stopListening = upstream.onChange(() => {
      this.timer ??= scheduler.setTimer(lookEveryMs, () => this.look())
    })
  }

  close(): void {
    this.stopListening()
    this.timer?.cancel()
  }

  private look(): void {
    this.timer = undefined
    const { told, upstream } = this
    this.told = statesOf(upstream)
    const changed = upstream.endpoints.filter(({ id, state }) => isWorthTelling(told.get(id), state))
    for (const endpoint of changed.slice(0, linesMax)) this.tell(endpoint)
    const more = changed.length - linesMax
    if (more > 0) this.logger.warn('more endpoints changed', { upstream: upstream.name, count: more })
  }

  private tell({ id, address, state, reason }: UpstreamEndpoint): void {
    const fields = { upstream: this.upstream.name, endpoint: id, address: hostPort(address.host, address.port) }
    if (state === 'ready') this.logger.info('an endpoint is back in use', fields)
    else this.logger.warn('an endpoint is out of use', { ...fields, state, reason })
  }
}

function statesOf({ endpoints }: Upstream): ReadonlyMap<string, EndpointState> {
  return new Map(endpoints.map(({ id, state }) => [id, state]))
}

/** One that comes well, or was not known to be unwell, is no news. */
function isWorthTelling(before: EndpointState | undefined, now: EndpointState): boolean {
  if (before === now || now === 'unknown') return false
  return now !== 'ready' || !(before === undefined || before === 'unknown')
}
