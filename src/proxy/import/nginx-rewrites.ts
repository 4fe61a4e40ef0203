/**
 * The rewrite phase of a block: `return`, `rewrite … permanent`, `if`, in the order of the file (ngx_http_rewrite_module).
 * Each is a route of its own in front of what the block does else; after an unconditional one, nothing is.
 */
import { conditionOf, type RequestFacts } from './nginx-conditions.ts'
import type { Location } from './nginx-locations.ts'
import { prefixedRegex } from './nginx-locations.ts'
import type { RouteDraft } from './nginx-route.ts'
import type { Directive } from './nginx-syntax.ts'
import { ourRegex, ourTemplate } from './nginx-values.ts'
import { expandSet } from './nginx-variables.ts'
import type { Scope } from './scope.ts'

/** One route: what it answers, what it must match besides the place it stands in, and the block whose headers it has. */
export interface Step {
  readonly answer: RouteDraft
  readonly match: RouteDraft
  readonly scope: Scope
  readonly by: Directive
}

export interface RewritePhase {
  readonly steps: readonly Step[]
  /** The last step takes all that is left. */
  readonly hasEnded: boolean
}

/** `pass` makes a route of a block that passes on, which an `if` may be. */
export function rewritePhase(
  scope: Scope,
  location: Location | undefined,
  facts: RequestFacts,
  pass: (inner: Scope) => RouteDraft | undefined,
): RewritePhase {
  const steps: Step[] = []
  for (const directive of scope.directives) {
    if (directive.name === 'return') {
      scope.notes.take(directive)
      steps.push({ answer: returned(directive, scope, location?.kind === 'regex'), match: {}, scope, by: directive })
      return { steps, hasEnded: true }
    }
    if (directive.name === 'rewrite') {
      const step = redirected(directive, scope, location)
      if (step !== undefined) steps.push(step)
      if (step !== undefined && Object.keys(step.match).length === 0) return { steps, hasEnded: true }
    }
    if (directive.name === 'if') {
      const phase = conditional(directive, scope, location, facts, pass)
      steps.push(...phase.steps)
      if (phase.hasEnded) return { steps, hasEnded: true }
    }
  }
  return { steps, hasEnded: false }
}

function conditional(
  directive: Directive,
  scope: Scope,
  location: Location | undefined,
  facts: RequestFacts,
  pass: (inner: Scope) => RouteDraft | undefined,
): RewritePhase {
  const none: RewritePhase = { steps: [], hasEnded: false }
  const condition = conditionOf(directive, facts)
  const block = directive.block ?? []
  if (condition?.type === 'never') {
    scope.notes.take(directive)
    return none
  }
  if (block.every(({ name }) => name === 'set' || name === 'break' || name === 'access_log')) {
    // Who uses the variable is told there.
    if (block.length > 0) scope.notes.take(directive)
    return none
  }
  const refusal = block.find(({ name, args }) => name === 'return' && /^4\d\d$/.test(args[0] ?? ''))
  if (condition === undefined && refusal !== undefined && directive.args[0]?.includes('$ssl_client_verify')) {
    scope.notes.tell(
      directive,
      'is not carried over: all requests get 403 here. Say clientCertificate: required instead',
    )
    return { steps: [{ answer: { respond: 403 }, match: {}, scope, by: directive }], hasEnded: true }
  }
  const inner = condition === undefined ? undefined : scope.inside(directive)
  const phase = inner === undefined ? none : rewritePhase(inner, location, facts, pass)
  const passed = inner === undefined || phase.hasEnded ? undefined : pass(inner)
  const steps = [
    ...phase.steps,
    ...(passed === undefined || inner === undefined
      ? []
      : [{ answer: passed, match: {}, scope: inner, by: directive }]),
  ]
  if (condition === undefined || steps.length === 0) {
    scope.notes.tell(
      directive,
      refusal === undefined
        ? 'this condition is not carried over: requests go on as if it did not hold'
        : 'this condition is not carried over: what it refuses gets in',
    )
    return none
  }
  if (condition.type !== 'match') return { steps, hasEnded: phase.hasEnded || passed !== undefined }
  return {
    steps: steps.flatMap((step) =>
      condition.matches.map((match) => ({ ...step, match: joined(withinLocation(match, location), step.match) })),
    ),
    hasEnded: false,
  }
}

/** A condition on the path holds within the location only. */
function withinLocation(match: RouteDraft, location: Location | undefined): RouteDraft {
  const path = match['path'] as { regex?: string; ignoreCase?: boolean } | undefined
  if (path?.regex === undefined) return match
  return { ...match, path: prefixedRegex(location, path.regex, path.ignoreCase === true) }
}

function joined(outer: RouteDraft, inner: RouteDraft): RouteDraft {
  const headers = { ...(outer['headers'] as RouteDraft | undefined), ...(inner['headers'] as RouteDraft | undefined) }
  return { ...outer, ...inner, ...(Object.keys(headers).length > 0 ? { headers } : {}) }
}

function returned(directive: Directive, scope: Scope, hasGroups: boolean): RouteDraft {
  const [first = '', second] = directive.args
  const status = /^\d{3}$/.test(first) ? Number(first) : 302
  const written = /^\d{3}$/.test(first) ? second : first
  const text = written === undefined ? undefined : expandSet(written, scope)
  if ([301, 302, 303, 307, 308].includes(status) && text !== undefined) {
    const location = ourLocation(text, hasGroups)
    if (location !== undefined) return { redirect: status === 302 ? location : { location, status } }
    scope.notes.tell(directive, 'this location cannot be carried over: requests get 404 here')
    return { respond: 404 }
  }
  if (status === 444) {
    scope.notes.tell(directive, 'connections are not closed without an answer: requests get 404 here')
    return { respond: 404 }
  }
  if (status < 200 || status > 599) {
    scope.notes.tell(directive, `${status} cannot be answered: requests get 404 here`)
    return { respond: 404 }
  }
  if (text === undefined || text === '') return { respond: status }
  if (/\$[A-Za-z_{]/.test(text)) scope.notes.tell(directive, 'variables in the text stand as they are')
  const type = contentType(scope)
  return {
    respond: {
      ...(status === 200 ? {} : { status }),
      body: text,
      ...(type === undefined ? {} : { contentType: type }),
    },
  }
}

/** As `add_header Content-Type` says, which nginx would send besides its own; undefined: ours is as good as nginx's. */
function contentType(scope: Scope): string | undefined {
  const added = scope.all('add_header').find(({ args }) => args[0]?.toLowerCase() === 'content-type')?.args[1]
  const type = added ?? scope.args('default_type')[0] ?? 'text/plain'
  return type === '' || /[\p{Cc}$]/u.test(type) ? 'text/plain' : type
}

/** A location whose variables our templates have too; undefined otherwise. */
function ourLocation(text: string, hasGroups = false): string | undefined {
  const known = ourTemplate(hasGroups ? text.replaceAll(/\$[1-9]/g, '') : text)
  const location = hasGroups && known !== undefined ? text : known
  return location !== undefined && /^(https?:\/\/|\/|\$)[!#-;=?-[\]_a-z~]*$/.test(location) ? location : undefined
}

/** `rewrite REGEX TARGET permanent`: its groups are ours where the route's path is the expression. */
function redirected(directive: Directive, scope: Scope, location: Location | undefined): Step | undefined {
  const [regex = '', written = '', flag] = directive.args
  const target = expandSet(written, scope)
  const status =
    { permanent: 301, redirect: 302 }[flag ?? ''] ?? (/^(https?:\/\/|\$scheme)/.test(target) ? 302 : undefined)
  if (status === undefined) return undefined
  scope.notes.take(directive)
  const answer = (to: string): RouteDraft => ({ redirect: status === 302 ? to : { location: to, status } })
  const takesAll = /^\^?(\/?\(?\.\*\)?)?\$?$/.test(regex)
  if (takesAll) {
    const whole = target.replace(/^(.*)\$1$/, (_all, front: string) => `${front.replace(/\/$/, '')}$request_uri`)
    const all = ourLocation(whole.replace(/(?<=\$request_uri)\?$/, ''))
    if (all !== undefined && !/\$\d/.test(all))
      return { answer: answer(withArguments(all)), match: {}, scope, by: directive }
  }
  const ours = ourRegex(regex)
  const groups = target.replaceAll(/\$([1-9])/g, '')
  const isKnown = ourTemplate(groups) !== undefined && /^(https?:\/\/|\/|\$)[!#-;=?-[\]_a-z~]*$/.test(target)
  if (ours === undefined || !isKnown || location?.kind === 'regex') {
    scope.notes.tell(directive, 'this redirect cannot be carried over: requests go on as if it were not there')
    return undefined
  }
  const path = prefixedRegex(location, ours.regex, ours.ignoreCase)
  return { answer: answer(withArguments(target)), match: { path }, scope, by: directive }
}

/** nginx appends the query unless the target ends in `?`. */
function withArguments(target: string): string {
  if (target.endsWith('?')) return target.slice(0, -1)
  return /\$request_uri|\$args|\?/.test(target) ? target : `${target}$is_args$args`
}
