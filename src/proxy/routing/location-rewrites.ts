/**
 * Where answers send clients, as clients can reach it: what the `location` and `refresh` of an answer begin with is replaced,
 * as by nginx's `proxy_redirect` (`ngx_http_proxy_rewrite_redirect`): the first rule that fits, letter for letter.
 */
import type { LocationRewrite } from '../config/index.ts'
import type { Fields } from '../http/index.ts'
import { compileTemplate, expandTemplate, type Template, type TemplateValues, usesRequestId } from './template.ts'

export interface CompiledLocationRewrites {
  readonly isEmpty: boolean
  readonly rules: readonly { readonly from: Template; readonly to: Template }[]
  /** What they make differs between requests that are alike. */
  readonly usesRequestId: boolean
}

export function compileLocationRewrites(rewrites: readonly LocationRewrite[]): CompiledLocationRewrites {
  const rules = rewrites.map(({ from, to }) => ({ from: compileTemplate(from), to: compileTemplate(to) }))
  return {
    isEmpty: rules.length === 0,
    rules,
    usesRequestId: rules.some(({ from, to }) => usesRequestId(from) || usesRequestId(to)),
  }
}

/** The fields with their places replaced; `fields` itself when nothing fits. */
export function rewriteLocations(fields: Fields, rewrites: CompiledLocationRewrites, values: TemplateValues): Fields {
  let out: string[] | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    if (name !== 'location' && name !== 'refresh') continue
    const value = fields[i + 1]!
    const rewritten = replacedPlace(name, value, rewrites, values)
    if (rewritten === value) continue
    out ??= [...fields]
    out[i + 1] = rewritten
  }
  return out ?? fields
}

function replacedPlace(
  name: string,
  value: string,
  { rules }: CompiledLocationRewrites,
  values: TemplateValues,
): string {
  const start = name === 'location' ? 0 : refreshedFrom(value)
  if (start === undefined) return value
  for (const { from, to } of rules) {
    const front = expandTemplate(from, values)
    if (front === '' || !value.startsWith(front, start)) continue
    return value.slice(0, start) + expandTemplate(to, values) + value.slice(start + front.length)
  }
  return value
}

/** Where the place begins in `5; url=http://app/x`; undefined where there is none. */
function refreshedFrom(value: string): number | undefined {
  const at = value.toLowerCase().indexOf('url=')
  return at === -1 ? undefined : at + 4
}
