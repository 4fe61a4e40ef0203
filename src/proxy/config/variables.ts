/**
 * Variables in a redirect's location and in values of headers, with nginx's names and meaning: `$host` (without port),
 * `$http_host` (as sent), `$remote_addr`, `$scheme`, `$server_port`, `$request_method`, `$request_uri` (as sent), `$uri`
 * (canonical path), `$args` (query without `?`), `$is_args` (`?` when there is a query), and `$1` to `$9` (groups of a
 * `regex` path). Of a client's certificate: `$ssl_client_s_dn` (its subject by RFC 2253), `$ssl_client_fingerprint` (SHA-1),
 * `$ssl_client_verify` (`SUCCESS` or `NONE`). `$request_id` is the id that the access log holds too (`requestIds` of the listener). `$$` is a dollar sign; any other `$` stands for itself.
 */

/** The names, without the groups. */
export const templateVariables = [
  'args',
  'host',
  'http_host',
  'is_args',
  'remote_addr',
  'request_id',
  'request_method',
  'request_uri',
  'scheme',
  'server_port',
  'ssl_client_fingerprint',
  'ssl_client_s_dn',
  'ssl_client_verify',
  'uri',
] as const

export type TemplateVariable = (typeof templateVariables)[number]

/** A piece of a text: literal, a variable, or a group of the path's regular expression. */
export type TemplatePart =
  | { readonly type: 'literal'; readonly text: string }
  | { readonly type: 'variable'; readonly name: TemplateVariable }
  | { readonly type: 'group'; readonly number: number }

export function isTemplateVariable(name: string): name is TemplateVariable {
  return (templateVariables as readonly string[]).includes(name)
}

/** Cuts a text at its variables. */
export function templateParts(text: string): readonly TemplatePart[] {
  const parts: TemplatePart[] = []
  let literal = ''
  let at = 0
  for (const match of text.matchAll(/\$(?:\$|[1-9]|[a-z_]+)/g)) {
    const name = match[0].slice(1)
    const part: TemplatePart | undefined = /^[1-9]$/.test(name)
      ? { type: 'group', number: Number(name) }
      : isTemplateVariable(name)
        ? { type: 'variable', name }
        : undefined
    literal += text.slice(at, match.index) + (part !== undefined ? '' : name === '$' ? '$' : match[0])
    at = match.index + match[0].length
    if (part === undefined) continue
    if (literal !== '') parts.push({ type: 'literal', text: literal })
    parts.push(part)
    literal = ''
  }
  literal += text.slice(at)
  if (literal !== '') parts.push({ type: 'literal', text: literal })
  return parts
}
