/**
 * `if (…) { return …; }`: the rewrite module's conditions that our routes can express (ngx_http_rewrite_module, nginx 1.22).
 * Each becomes a route of its own in front of those that it stands before.
 */
import { isHost } from '../config/index.ts'
import type { Directive } from './nginx-syntax.ts'
import { bothForms, escapeRegex, ourRegex } from './nginx-values.ts'

/** What a route must match besides; `never` and `always` are known without a request. */
export type Condition =
  | { readonly type: 'match'; readonly matches: readonly Readonly<Record<string, unknown>>[] }
  | { readonly type: 'always' | 'never' }

/** What is known of the requests of a server. */
export interface RequestFacts {
  /** The names of the server at this place; empty: any. */
  readonly names: readonly string[]
  readonly isSecure: boolean
  readonly port: number
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']
const always: Condition = { type: 'always' }
const never: Condition = { type: 'never' }

/** Undefined when it cannot be expressed. */
export function conditionOf(directive: Directive, facts: RequestFacts): Condition | undefined {
  const [variable = '', operator = '', operand = '', more] = words(directive.args)
  if (more !== undefined) return undefined
  if (/^!?-[fdex]$/.test(variable)) return variable.startsWith('!') ? always : never
  const name = /^\$\{?([a-z_0-9]+)\}?$/.exec(variable)?.[1]
  if (name === undefined) return undefined
  if (name === 'scheme') return known(operator, operand, facts.isSecure ? 'https' : 'http')
  if (name === 'https') return known(operator, operand, facts.isSecure ? 'on' : '')
  if (name === 'server_port') return known(operator, operand, String(facts.port))
  if (name === 'request_method') return methodCondition(operator, operand)
  if (name === 'host' || name === 'http_host') return hostCondition(operator, operand, facts)
  if (name.startsWith('http_')) return headerCondition(name.slice(5).replaceAll('_', '-'), operator, operand)
  if (name === 'content_type') return headerCondition('content-type', operator, operand)
  if (name === 'uri' || name === 'document_uri') return pathCondition(operator, operand)
  return undefined
}

/** The words within the parentheses, which may stand apart or be glued to them. */
function words(args: readonly string[]): readonly string[] {
  const list = [...args]
  list[0] = (list[0] ?? '').replace(/^\(/, '')
  list[list.length - 1] = (list.at(-1) ?? '').replace(/\)$/, '')
  return list.filter((word, at) => word !== '' || (at > 1 && at === list.length - 1 && list.length === 3))
}

function known(operator: string, operand: string, value: string): Condition | undefined {
  if (operator === '') return value === '' || value === '0' ? never : always
  if (operator === '=' || operator === '!=') return (value === operand) === (operator === '=') ? always : never
  const regex = ourRegex(operand)
  if (regex === undefined || !/^!?~\*?$/.test(operator)) return undefined
  const found = new RegExp(regex.regex, operator.endsWith('*') || regex.ignoreCase ? 'i' : '').test(value)
  return found === !operator.startsWith('!') ? always : never
}

function methodCondition(operator: string, operand: string): Condition | undefined {
  const list = /^\^?\(?([A-Z]+(?:\|[A-Z]+)*)\)?\$?$/.exec(operand)?.[1]?.split('|')
  if (list === undefined || (!operator.includes('~') && list.length > 1)) return undefined
  // `~ PUT` is found within other words too; there are none such among methods.
  const taken = operator.startsWith('!') ? methods.filter((method) => !list.includes(method)) : list
  return { type: 'match', matches: [{ method: taken.length === 1 ? taken[0] : taken }] }
}

function hostCondition(operator: string, operand: string, { names }: RequestFacts): Condition | undefined {
  const name = operand.toLowerCase()
  const isPlain = isHost(name) && !name.includes('*')
  if (operator === '=' && isPlain) {
    if (names.length === 0 || names.some((each) => each.startsWith('*.')))
      return { type: 'match', matches: [{ host: name }] }
    if (!names.includes(name)) return never
    return names.length === 1 ? always : { type: 'match', matches: [{ host: name }] }
  }
  if (names.length === 0 || names.some((each) => each.startsWith('*.'))) return undefined
  const found = names.filter(
    (each) => known(operator, operator.includes('~') ? operand : name, each)?.type === 'always',
  )
  if (/^(!=|!?~\*?)$/.test(operator) && (operator === '!=' || ourRegex(operand) !== undefined)) {
    if (found.length === 0) return never
    return found.length === names.length
      ? always
      : { type: 'match', matches: [{ host: found.length === 1 ? found[0] : found }] }
  }
  return undefined
}

/** A field that is not there is empty to nginx; one that is there may be, too. */
function headerCondition(name: string, operator: string, operand: string): Condition | undefined {
  const of = (test: unknown): Condition => ({ type: 'match', matches: [{ headers: { [name]: test } }] })
  const orAbsent = (test: unknown): Condition => ({
    type: 'match',
    matches: [{ headers: { [name]: { present: false } } }, { headers: { [name]: test } }],
  })
  if (operator === '') return of({ regex: '^(?!0?$)' })
  if (operator === '=') return operand === '' ? orAbsent('') : of(operand)
  if (operator === '!=')
    return operand === '' ? of({ regex: '.' }) : orAbsent({ regex: `^(?!${escapeRegex(operand)}$)` })
  const regex = ourRegex(operand)
  if (regex === undefined || !/^!?~\*?$/.test(operator)) return undefined
  const source = operator.endsWith('*') || regex.ignoreCase ? bothForms(regex.regex) : regex.regex
  if (source === undefined) return undefined
  const matchesNothing = new RegExp(source).test('')
  if (operator.startsWith('!')) {
    const test = { regex: `^(?![\\s\\S]*?(?:${source}))` }
    return matchesNothing ? of(test) : orAbsent(test)
  }
  return matchesNothing ? orAbsent({ regex: source }) : of({ regex: source })
}

function pathCondition(operator: string, operand: string): Condition | undefined {
  if (operator === '=' && operand.startsWith('/')) return { type: 'match', matches: [{ path: { exact: operand } }] }
  const regex = ourRegex(operand)
  if (regex === undefined || !/^~\*?$/.test(operator)) return undefined
  const ignoreCase = operator === '~*' || regex.ignoreCase
  return { type: 'match', matches: [{ path: ignoreCase ? { ...regex, ignoreCase } : { regex: regex.regex } }] }
}
