/** HAProxy's syntax: words (Configuration Manual 2.6, §2.2 Quoting and escaping) and log-format texts (§8.2.4). */
import { type TemplateVariable, templateParts } from '../config/index.ts'

/** One argument, in strong quotes, where nothing has a meaning; line ends, which no quotes may hold, as `\n`. */
export function quoted(text: string): string {
  if (/^[A-Za-z0-9_./:=@*-]+$/.test(text)) return text
  const pieces = text.split(/([\n\r\t'])/).map((piece) => {
    const written = { '\n': '\\n', '\r': '\\r', '\t': '\\t', "'": "\\'" }[piece]
    return written ?? (piece === '' ? '' : `'${piece}'`)
  })
  return pieces.join('') === '' ? "''" : pieces.join('')
}

/** A log-format text: `%` begins variables there. */
export function logFormat(text: string): string {
  return quoted(text.replaceAll('%', '%%'))
}

/** A text of ours with variables, and whether it has groups, which HAProxy cannot know here. */
export function template(text: string): { readonly text: string; readonly hasGroups: boolean } {
  let hasGroups = false
  const parts = templateParts(text).map((part) => {
    if (part.type === 'variable') return fetches[part.name]
    if (part.type === 'literal') return part.text.replaceAll('%', '%%')
    hasGroups = true
    return ''
  })
  return { text: quoted(parts.join('')), hasGroups }
}

const fetches: Readonly<Record<TemplateVariable, string>> = {
  args: '%[query]',
  host: '%[var(txn.host)]',
  http_host: '%[var(txn.authority)]',
  is_args: '%[query,length,bool,iif(?,)]',
  remote_addr: '%[src]',
  request_id: '%[var(txn.request_id)]',
  request_method: '%[method]',
  request_uri: '%[var(txn.target)]',
  scheme: '%[ssl_fc,iif(https,http)]',
  server_port: '%[dst_port]',
  ssl_client_fingerprint: '%[ssl_c_sha1,hex,lower]',
  ssl_client_s_dn: '%[ssl_c_s_dn(,0,rfc2253)]',
  ssl_client_verify: '%[ssl_c_used,iif(SUCCESS,NONE)]',
  uri: '%[path]',
}

/** Replacements of expressions: our `$1` is their `\1`. */
export function replacement(text: string): string {
  const parts = text.replaceAll('$$', '\u0000').split(/(\$[1-9])/)
  const written = parts.map((part) =>
    /^\$[1-9]$/.test(part)
      ? `\\${part[1]}`
      : part.replaceAll('\\', '\\\\').replaceAll('\u0000', '$').replaceAll('%', '%%'),
  )
  return quoted(written.join(''))
}
