/**
 * Texts of the configuration with variables in them: a redirect's location, values of header fields, a rewritten host.
 *
 * `$remote_addr` `$scheme` `$host` (without port) `$http_host` (as sent) `$server_port` `$request_method` `$request_uri`
 * (as sent) `$uri` (canonical path) `$args` (query without `?`) `$is_args` (`?` when there is a query) and `$1` to `$9` (groups of a
 * `regex` path) have nginx's meaning; `$$` is a dollar sign, and any other `$` stands for itself.
 *
 * `$request_id` is the request's id: what the listener's `requestIds` says, and what the access log holds.
 */

/*
 * Of the client's certificate: `$ssl_client_s_dn` (its subject by RFC 2253), `$ssl_client_fingerprint` (SHA-1), both empty
 * without one, and `$ssl_client_verify` (`SUCCESS`, or `NONE`; empty without TLS).
 */

/** What the variables stand for. */
export interface TemplateValues {
  readonly clientAddress: string
  readonly scheme: string
  readonly authority: string
  readonly host: string
  readonly localPort: number
  readonly isTls?: boolean | undefined
  readonly clientCertificate?: { readonly subject: string; readonly fingerprint: string } | undefined
  readonly method: string
  readonly target: string
  readonly path: string
  readonly query: string
  /** Of this very request; see {@link usesRequestId}. */
  readonly requestId: string
  /** Undefined where the route's path is no regular expression. */
  readonly groups: readonly (string | undefined)[] | undefined
}

type Variable = (values: TemplateValues) => string

const requestId: Variable = (values) => values.requestId

const variables: ReadonlyMap<string, Variable> = new Map<string, Variable>([
  ['remote_addr', (values) => values.clientAddress],
  ['scheme', (values) => values.scheme],
  ['host', (values) => values.host],
  ['http_host', (values) => values.authority],
  ['server_port', (values) => String(values.localPort)],
  ['request_method', (values) => values.method],
  ['request_uri', (values) => values.target],
  ['uri', (values) => values.path],
  ['args', (values) => values.query],
  ['request_id', requestId],
  ['ssl_client_s_dn', (values) => values.clientCertificate?.subject ?? ''],
  ['ssl_client_fingerprint', (values) => values.clientCertificate?.fingerprint ?? ''],
  [
    'ssl_client_verify',
    (values) => (values.isTls !== true ? '' : values.clientCertificate === undefined ? 'NONE' : 'SUCCESS'),
  ],
  ['is_args', (values) => (values.query === '' ? '' : '?')],
])

/** A text, or how to make it. */
export type Template = string | readonly (string | Variable)[]

export function compileTemplate(text: string): Template {
  const parts: (string | Variable)[] = []
  let literal = ''
  for (let i = 0; i < text.length; i++) {
    const found = text[i] === '$' ? /^\$(?:\$|[1-9]|[a-z_]+)/.exec(text.slice(i, i + 24)) : null
    const variable = found === null ? undefined : variableNamed(found[0].slice(1))
    if (found === null || variable === undefined) {
      literal += text[i]
      continue
    }
    i += found[0].length - 1
    if (typeof variable === 'string') {
      literal += variable
    } else {
      parts.push(literal, variable)
      literal = ''
    }
  }
  return parts.length === 0 ? literal : [...parts, literal]
}

function variableNamed(name: string): string | Variable | undefined {
  if (name === '$') return '$'
  const group = Number(name)
  if (group >= 1) return (values) => values.groups?.[group] ?? ''
  return variables.get(name)
}

/** Whether the text differs between two requests that are alike in all else. */
export function usesRequestId(template: Template): boolean {
  return typeof template !== 'string' && template.includes(requestId)
}

export function expandTemplate(template: Template, values: TemplateValues): string {
  if (typeof template === 'string') return template
  let text = ''
  for (const part of template) text += typeof part === 'string' ? part : part(values)
  return text
}
