/**
 * The sources of one upstream, and the endpoints they name together.
 *
 * - S1  `joined` is what all sources told last, in the order of the settings. Of endpoints with the same id the first counts, and
 *       of those at the same host and port in several sources those of the first source: an instance that is listed by hand
 *       and registers itself too gets no double share. One source may name an address twice, under two ids.
 * - S2  A source that fails changes nothing of what it told before.
 * - S3  A source that stays over `reconfigure` is not opened again. What those that go have told holds (after what others
 *       say) until every source has answered: a reload never leaves the upstream empty for a moment.
 */
import { openResolver, type ResolvedEndpoint, type Resolver, type TrafficRuntime } from '../resolvers/index.ts'
import type { EndpointAddress, EndpointSource } from './settings.ts'
import type { SourceView } from './upstream.ts'

interface Followed {
  readonly source: EndpointSource
  /** Equal for sources that are the same. */
  readonly key: string
  resolver: Resolver | undefined
  /** Undefined until its first answer. */
  found: readonly ResolvedEndpoint[] | undefined
  error: string
}

export class SourceSet {
  private readonly upstreamName: string
  private readonly outside: TrafficRuntime
  private readonly onChange: () => void
  private followed: Followed[] = []
  /** S3. */
  private leftover: readonly ResolvedEndpoint[] = []

  /** `onChange`: what is joined may have changed. */
  constructor(upstreamName: string, outside: TrafficRuntime, onChange: () => void) {
    this.upstreamName = upstreamName
    this.outside = outside
    this.onChange = onChange
  }

  /** Whether every source has answered. */
  get isComplete(): boolean {
    return this.followed.every(({ found }) => found !== undefined)
  }

  /** What is wrong, for people; empty when nothing is. */
  get problems(): string {
    return this.followed
      .map(({ error }) => error)
      .filter((error) => error !== '')
      .join('; ')
  }

  reconfigure(sources: readonly EndpointSource[]): void {
    const before = this.joined()
    const left = [...this.followed]
    this.followed = sources.map((source) => {
      const key = JSON.stringify(source)
      const at = left.findIndex((one) => one.key === key)
      const [kept] = at < 0 ? [] : left.splice(at, 1)
      return kept ?? { source, key, resolver: undefined, found: undefined, error: '' }
    })
    for (const { resolver } of left) resolver?.close()
    this.leftover = this.isComplete ? [] : before
    for (const one of this.followed) this.open(one)
  }

  joined(): ResolvedEndpoint[] {
    const byId = new Map<string, ResolvedEndpoint>()
    const places = new Set<string>()
    for (const found of [...this.followed.map(({ found }) => found ?? []), this.leftover]) {
      const fresh = found.filter(({ address }) => !byId.has(address.id) && !places.has(placeOf(address)))
      for (const endpoint of fresh) {
        // A source may say an id twice; its first counts.
        if (!byId.has(endpoint.address.id)) byId.set(endpoint.address.id, endpoint)
        places.add(placeOf(endpoint.address))
      }
    }
    return [...byId.values()]
  }

  view(): SourceView[] {
    return this.followed.map(({ source, found, error }) => ({
      type: source.type,
      name: nameOf(source),
      state: error !== '' ? 'failing' : found === undefined ? 'pending' : 'ready',
      error,
      endpoints: found?.length ?? 0,
    }))
  }

  close(): void {
    for (const { resolver } of this.followed) resolver?.close()
    this.followed = []
  }

  private open(one: Followed): void {
    if (one.resolver !== undefined) return
    one.resolver = openResolver(one.source, this.outside, {
      found: (endpoints) => {
        one.found = endpoints
        one.error = ''
        if (this.isComplete) this.leftover = []
        this.onChange()
      },
      failed: (error) => {
        if (error !== one.error) {
          const fields = { upstream: this.upstreamName, source: one.source.type, error }
          this.outside.logger.warn('a source of endpoints fails; what it told before stays in use', fields)
        }
        one.error = error
      },
    })
  }
}

function placeOf({ host, port }: EndpointAddress): string {
  return `${host.toLowerCase()} ${port}`
}

function nameOf(source: EndpointSource): string {
  switch (source.type) {
    case 'static':
      return ''
    case 'dns':
      return source.name
    case 'file':
      return source.path
    case 'registry':
      return source.service
  }
}
