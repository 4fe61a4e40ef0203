/** `proxy_redirect`: what answers' Location and Refresh begin with, as our `rewriteLocation`. */
import type { Location } from './nginx-locations.ts'
import type { Directive } from './nginx-syntax.ts'
import { ourTemplate } from './nginx-values.ts'
import { expandSet } from './nginx-variables.ts'
import type { Scope } from './scope.ts'

/** Where a location passes its requests to. */
export interface Passed {
  /** The whole target, what is `set` put in. */
  readonly written: string
  /** Its host, with a port where one is written. */
  readonly target: string
  readonly port: number
  /** What stands behind the host. */
  readonly uri: string
  readonly location: Location | undefined
}

type Rules = Readonly<Record<string, string>>

/** As a part of a route's draft: empty where nothing is replaced. */
export function locationRewrites(scope: Scope, pass: Directive, passed: Passed): { readonly rewriteLocation?: Rules } {
  if (pass.name === 'grpc_pass') return {}
  const written = scope.all('proxy_redirect')
  const rules = new Map<string, string>()
  for (const directive of written) {
    const [from = '', to] = directive.args
    if (from === 'off') return {}
    if (from === 'default') addDefault(rules, pass, passed)
    else if (!addWritten(rules, from, to ?? '', scope, passed)) scope.notes.tell(directive, whyNotRewritten(from))
  }
  if (written.length === 0) addDefault(rules, pass, passed)
  return rules.size === 0 ? {} : { rewriteLocation: Object.fromEntries(rules) }
}

/** The target's own address, and the location that stands for it; none where the target has variables. */
function addDefault(rules: Map<string, string>, pass: Directive, { written, uri, location }: Passed): void {
  if (pass.args[0]?.includes('$') === true) return
  const front = ourTemplate(uri === '' ? `${written}/` : written)
  const back = uri === '' ? '/' : location === undefined || location.kind === 'regex' ? '' : location.value
  if (front !== undefined && !rules.has(front)) rules.set(front, back.replaceAll('$', '$$$$'))
}

function addWritten(rules: Map<string, string>, from: string, to: string, scope: Scope, passed: Passed): boolean {
  const filled = (text: string): string | undefined =>
    ourTemplate(
      expandSet(text, scope)
        .replace(/\$(proxy_host|\{proxy_host\})/g, passed.target)
        .replace(/\$(proxy_port|\{proxy_port\})/g, String(/:(\d+)$/.exec(passed.target)?.[1] ?? passed.port)),
    )
  if (from.startsWith('~')) return false
  const [front, back] = [filled(from), filled(to)]
  if (front === undefined || back === undefined || !isPlace(front) || !(back === '' || isPlace(back))) return false
  if (!rules.has(front)) rules.set(front, back)
  return true
}

function isPlace(text: string): boolean {
  return /^(https?:\/\/|\/|\$)[!-~]*$/.test(text) && text.length <= 2_048
}

function whyNotRewritten(from: string): string {
  return from.startsWith('~')
    ? 'Location goes on as the upstream sends it: rewriteLocation compares beginnings, not expressions'
    : 'Location goes on as the upstream sends it: this cannot be carried over to rewriteLocation'
}
