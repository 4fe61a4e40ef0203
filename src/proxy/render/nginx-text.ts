/** nginx's syntax: words, and texts with variables. */
import { type TemplateVariable, templateParts } from '../config/index.ts'

/**
 * A word in quotes, so that nothing in it ends a directive. nginx takes a backslash before `"` and `\` out, and makes
 * `\n`, `\r`, `\t` control characters (`ngx_conf_read_token`); so every backslash is doubled.
 */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}

/** nginx has no escape for `$` in texts with variables: this variable, made by `geo`, holds one. */
export const dollar = '$' + '{synod_dollar}'

/** nginx reads a word into a buffer of 4096 bytes. */
export const wordBytesMax = 4_000

/** A text without variables, where nginx looks for some. */
export function literal(text: string): string {
  return quoted(text.replaceAll('$', '\u0000')).replaceAll('\u0000', dollar)
}

/** A text of ours with variables. `groups` are those of the last regular expression that nginx matched. */
export function template(text: string, clientAddress: string): string {
  const parts = templateParts(text).map((part) => {
    if (part.type === 'variable') return variable(part.name, clientAddress)
    if (part.type === 'group') return `\${synod_${part.number}}`
    return part.text.replaceAll('$', '\u0000').replace(/[\\"]/g, '\\$&').replaceAll('\u0000', dollar)
  })
  return `"${parts.join('')}"`
}

function variable(name: TemplateVariable, clientAddress: string): string {
  if (name === 'remote_addr') return clientAddress
  return name === 'request_id' ? '$' + '{synod_request_id}' : `\${${name}}`
}
