/** One route, prepared for comparing. */
import type { HeaderMatch, RouteConfig } from '../config/index.ts'
import type { RequestHead } from '../http/index.ts'
import { canonicalPattern } from './canonical-path.ts'
import { type CompiledEdits, compileEdits } from './header-edits.ts'
import { hostName } from './host-name.ts'
import { withoutIgnoreCase } from './ignore-case.ts'
import { type CompiledLocationRewrites, compileLocationRewrites } from './location-rewrites.ts'
import { SmoothSplit } from './split.ts'
import { compileTemplate, type Template } from './template.ts'

/** A route that fits, and what its regular expression caught. */
export interface RouteFound {
  readonly route: CompiledRoute
  readonly groups: readonly (string | undefined)[] | undefined
}

export class CompiledRoute {
  readonly config: RouteConfig
  /** Its place in the configuration: of two that fit, the lower is taken. */
  readonly order: number
  /** What the path begins with or is; empty for `regex`. */
  readonly pattern: string
  readonly hosts: readonly string[]
  readonly requestEdits: CompiledEdits
  readonly responseEdits: CompiledEdits
  readonly locationRewrites: CompiledLocationRewrites
  readonly location: Template
  readonly host: Template | undefined
  /** Undefined unless there is a choice. */
  readonly split: SmoothSplit | undefined
  private readonly methods: ReadonlySet<string> | undefined
  private readonly regex: RegExp | undefined
  private readonly isPrefix: boolean

  constructor(config: RouteConfig, order: number) {
    const { match, action } = config
    this.config = config
    this.order = order
    this.pattern = match.path.type === 'regex' ? '' : canonicalPattern(match.path.value)
    this.isPrefix = match.path.type === 'prefix'
    // A sticky or global expression would remember where it stopped.
    this.regex =
      match.path.type === 'regex'
        ? withoutIgnoreCase(new RegExp(match.path.value, match.path.value.flags.replace(/[gy]/g, '')))
        : undefined
    this.hosts = match.hosts.map(hostName)
    this.methods = match.methods.length === 0 ? undefined : new Set(match.methods)
    this.requestEdits = compileEdits(config.requestHeaders)
    this.responseEdits = compileEdits(config.responseHeaders)
    this.locationRewrites = compileLocationRewrites(config.locationRewrites)
    this.location = action.type === 'redirect' ? compileTemplate(action.location) : ''
    this.host = config.rewrite.host === undefined ? undefined : compileTemplate(config.rewrite.host)
    this.split =
      action.type === 'forward' && action.to.length > 1
        ? new SmoothSplit(action.to.map((each) => each.weight))
        : undefined
  }

  /** Compares everything but the host. Undefined: it does not fit; null: it fits, without groups. */
  compare(head: RequestHead, path: string): readonly (string | undefined)[] | null | undefined {
    if (this.methods !== undefined && !this.methods.has(head.method)) return undefined
    let groups: readonly (string | undefined)[] | null = null
    if (this.regex !== undefined) {
      groups = this.regex.exec(path)
      if (groups === null) return undefined
    } else if (!(this.isPrefix ? hasPrefix(path, this.pattern) : path === this.pattern)) {
      return undefined
    }
    for (const header of this.config.match.headers) if (!headerFits(header, head)) return undefined
    return groups
  }

  /** The first segment that every path it fits has; undefined when there is none. */
  get firstSegment(): string | undefined {
    if (this.regex !== undefined) return undefined
    const segment = firstSegmentOf(this.pattern)
    return segment === '' && this.isPrefix ? undefined : segment
  }
}

/** What lies between the first slash of `path` and the next. */
export function firstSegmentOf(path: string): string {
  const end = path.indexOf('/', 1)
  return end === -1 ? path.slice(1) : path.slice(1, end)
}

/** `/api` is a prefix of `/api` and `/api/x`, not of `/apix`; `/api/` and the empty prefix of what begins with them. */
function hasPrefix(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return (
    path.length === prefix.length || prefix === '' || prefix.endsWith('/') || path.charCodeAt(prefix.length) === 0x2f
  )
}

/** A field that came several times fits when one of its values does. */
function headerFits(match: HeaderMatch, head: RequestHead): boolean {
  if (match.name === 'host') return valueFits(match, head.authority === '' ? undefined : head.authority)
  if (match.test.type === 'absent') return head.get(match.name) === undefined
  const { fields } = head
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === match.name && valueFits(match, fields[i + 1])) return true
  }
  return false
}

function valueFits({ test }: HeaderMatch, value: string | undefined): boolean {
  if (value === undefined) return test.type === 'absent'
  switch (test.type) {
    case 'present':
      return true
    case 'absent':
      return false
    case 'exact':
      return value === test.value
    case 'prefix':
      return value.startsWith(test.value)
    case 'regex':
      test.value.lastIndex = 0
      return test.value.test(value)
  }
}
