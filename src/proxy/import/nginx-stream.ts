/** `stream { … }`: layer 4, and TLS passed through by the name in the ClientHello. */
import type { ListenerDraft } from './nginx-servers.ts'
import type { Directive } from './nginx-syntax.ts'
import type { NginxUpstreams } from './nginx-upstreams.ts'
import { nginxTimeMs, ourTime } from './nginx-values.ts'
import type { Scope } from './scope.ts'

export function streamListeners(stream: Scope, upstreams: NginxUpstreams): readonly ListenerDraft[] {
  return stream.own('server').flatMap((directive) => {
    const scope = stream.inside(directive)
    return scope.own('listen').flatMap((listen) => {
      const draft = streamListener(scope, listen, stream, upstreams)
      return draft === undefined ? [] : [draft]
    })
  })
}

function streamListener(
  scope: Scope,
  listen: Directive,
  stream: Scope,
  upstreams: NginxUpstreams,
): ListenerDraft | undefined {
  const [written = '', ...flags] = listen.args
  const address = /^\d+$/.test(written) ? `0.0.0.0:${written}` : written.replace(/^\*:/, '0.0.0.0:')
  if (
    flags.includes('udp') ||
    flags.includes('ssl') ||
    !/^(\[[0-9A-Fa-f:]+\]|[\d.]+|localhost):\d{1,5}$/.test(address)
  ) {
    scope.notes.tell(listen, 'only TCP without TLS of its own, at an address and port, is carried over: left out')
    return undefined
  }
  const pass = scope.own('proxy_pass')[0]
  const target = pass?.args[0] ?? ''
  const draft: ListenerDraft = { address, protocol: 'tcp' }
  if (flags.includes('proxy_protocol')) draft['proxyProtocolFrom'] = ['0.0.0.0/0', '::/0']
  if (scope.args('proxy_protocol')[0] === 'on') draft['sendProxyProtocol'] = 'v1'
  const idle = nginxTimeMs(scope.args('proxy_timeout')[0])
  if (idle !== undefined) draft['idleTimeout'] = ourTime(idle, 100, 86_400_000)
  if (pass !== undefined && target.startsWith('$') && scope.args('ssl_preread')[0] === 'on')
    return byName(draft, target, pass, stream, upstreams)
  const name = pass === undefined ? undefined : upstreams.nameFor('stream', target, undefined, undefined)
  if (name !== undefined) return { ...draft, to: name }
  scope.notes.tell(pass ?? listen, 'where its connections go cannot be carried over: left out')
  return undefined
}

/** `map $ssl_preread_server_name $target { shop.example shop; default other; }`. */
function byName(
  draft: ListenerDraft,
  variable: string,
  pass: Directive,
  stream: Scope,
  upstreams: NginxUpstreams,
): ListenerDraft | undefined {
  const map = stream.own('map').find(({ args }) => args[0] === '$ssl_preread_server_name' && args[1] === variable)
  const names: Record<string, unknown>[] = []
  let fallback: string | undefined
  const entries = map?.block ?? []
  // Without it `*.example` and `.example` are texts, which no name is (`ngx_http_map_module`, "hostnames").
  const hasWildcards = entries.some(({ name }) => name === 'hostnames')
  for (const entry of entries) {
    const name = entry.name.toLowerCase()
    if (name === 'hostnames' || name === 'volatile') continue
    const to = upstreams.nameFor('stream', entry.args[0] ?? '', undefined, undefined)
    const [, wildcard, rest = ''] = /^(\*?\.)?([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)$/.exec(name) ?? []
    if (to === undefined || rest === '') stream.notes.tell(entry, 'this name or target is not carried over')
    else if (name === 'default') fallback = to
    else if (wildcard !== undefined && !hasWildcards)
      stream.notes.tell(entry, 'takes nothing, as the map does not say `hostnames`: left out')
    else
      names.push(
        { name: wildcard === undefined ? rest : `*.${rest}`, to },
        ...(wildcard === '.' ? [{ name: rest, to }] : []),
      )
  }
  if (names.length === 0 && fallback === undefined) {
    stream.notes.tell(pass, 'where its connections go cannot be carried over: left out')
    return undefined
  }
  return {
    ...draft,
    protocol: 'tls-passthrough',
    ...(names.length > 0 ? { names } : {}),
    ...(fallback === undefined ? {} : { to: fallback }),
  }
}
