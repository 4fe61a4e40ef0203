/** `proxy_set_header`, `proxy_hide_header`, `add_header`. */
import type { Directive } from './nginx-syntax.ts'
import { addressOf } from './nginx-upstreams.ts'
import { ourTemplate } from './nginx-values.ts'
import { expandSet } from './nginx-variables.ts'
import type { Scope } from './scope.ts'

type Draft = Record<string, unknown>

/** What the proxy does by itself: nothing is lost when these are left out. */
const done: Readonly<Record<string, RegExp>> = {
  'x-forwarded-for': /^\$(proxy_add_x_forwarded_for|remote_addr|http_x_forwarded_for)$/,
  'x-forwarded-proto': /^\$(scheme|http_x_forwarded_proto)$/,
  'x-forwarded-host': /^\$(host|http_host)$/,
  'x-forwarded-port': /^\$(server_port)$/,
  upgrade: /^\$http_upgrade$/,
  connection: /^(|close|keep-alive|upgrade|\$\w*(connection|upgrade)\w*)$/i,
  'content-length': /^$/,
  'early-data': /^\$ssl_early_data$/,
  'transfer-encoding': /^$/,
  te: /^(trailers|\$http_te)$/,
  'x-request-id': /^\$http_x_request_id$/,
}

const framing = new Set([
  'connection',
  'content-length',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Our `requestHeaders`; corrects `rewrite.host` of `route` by what is set as Host. */
export function requestHeaders(scope: Scope, route: Draft): Draft {
  const set: Record<string, string> = {}
  const remove: string[] = []
  const rewrite = { ...(route['rewrite'] as Draft | undefined) }
  const given = [...scope.all('proxy_set_header'), ...scope.all('grpc_set_header')]
  for (const directive of given) {
    const [written = '', text = ''] = directive.args
    const name = written.toLowerCase()
    const value = expandSet(text, scope)
    if (name === 'host') setHost(directive, value, rewrite, scope)
    else if (done[name]?.test(value) === true) tellWhoIsBelieved(directive, value, scope)
    // What the client sent goes on anyway.
    else if (value === `$http_${name.replaceAll('-', '_')}`) continue
    else if (!isEditable(name, value) || framing.has(name))
      scope.notes.tell(directive, 'this header cannot be carried over')
    else if (value === '') remove.push(name)
    else set[name] = ourTemplate(value) ?? value
  }
  const edits: Draft = { ...(remove.length > 0 ? { remove } : {}), ...(Object.keys(set).length > 0 ? { set } : {}) }
  return {
    rewrite: Object.keys(rewrite).length > 0 ? rewrite : undefined,
    requestHeaders: Object.keys(edits).length > 0 ? edits : undefined,
  }
}

/** nginx believes what any client says of earlier proxies. */
function tellWhoIsBelieved(directive: Directive, value: string, scope: Scope): void {
  const isTheClients = value === '$proxy_add_x_forwarded_for' || value.startsWith('$http_x_forwarded')
  if (!isTheClients || scope.all('set_real_ip_from').length > 0) return
  scope.notes.tell(
    directive,
    'a client’s own is replaced, not believed: name proxies in front of this one in trustedProxies',
  )
}

function setHost(directive: Directive, value: string, rewrite: Draft, scope: Scope): void {
  if (/^\$(host|http_host)$/.test(value)) delete rewrite['host']
  else if (addressOf(value, 80) !== undefined) rewrite['host'] = value
  else if (value !== '$proxy_host') scope.notes.tell(directive, 'this Host cannot be carried over')
}

function isEditable(name: string, value: string): boolean {
  return (
    /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name) &&
    ourTemplate(value) !== undefined &&
    !/\p{Cc}/u.test(value) &&
    value === value.trim()
  )
}

/** Our `responseHeaders`. */
export function responseHeaders(scope: Scope, isAnswer: boolean): Draft | undefined {
  const remove = scope
    .all(isAnswer ? 'none' : 'proxy_hide_header')
    .map(({ args }) => (args[0] ?? '').toLowerCase())
    .filter((name) => isEditable(name, '') && !framing.has(name))
  const add: Record<string, string> = {}
  for (const directive of scope.all('add_header')) {
    const [written = '', text = '', always] = directive.args
    const name = written.toLowerCase()
    const value = expandSet(text, scope)
    // It is the type of a text that is answered here.
    if (name === 'content-type' && isAnswer) continue
    if (!isEditable(name, value) || framing.has(name) || value === '')
      scope.notes.tell(directive, 'this header cannot be carried over')
    else {
      if (always === undefined && !isAnswer)
        scope.notes.tell(directive, 'is added to answers of every status: nginx leaves errors out')
      add[name] = ourTemplate(value) ?? value
    }
  }
  const edits: Draft = {
    ...(remove.length > 0 ? { remove } : {}),
    ...(Object.keys(add).length > 0 ? { add } : {}),
  }
  return Object.keys(edits).length > 0 ? edits : undefined
}
