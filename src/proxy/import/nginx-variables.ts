/** Variables whose value is known without a request: `set $name text;`, and `$server_name`. */

import { isHost } from '../config/index.ts'
import type { Scope } from './scope.ts'

const depthMax = 8
const lengthMax = 8_192

/** `text` with each variable that `set` gives one value, in this block or an outer one, in its place. */
export function expandSet(text: string, scope: Scope): string {
  let expanded = text
  for (let depth = 0; depth < depthMax && expanded.includes('$'); depth++) {
    const next = expanded.replace(/\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g, (found, braced?: string, bare?: string) => {
      const name = braced ?? bare ?? ''
      return (name === 'server_name' ? serverName(scope) : setValue(name, scope)) ?? found
    })
    if (next === expanded || next.length > lengthMax) break
    expanded = next
  }
  return expanded
}

/** Undefined when nothing sets it, or a condition decides what it is. */
function setValue(name: string, scope: Scope): string | undefined {
  const variable = `$${name}`
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const isConditional = at.directives.some(
      (each) => each.name === 'if' && each.block?.some((inner) => inner.name === 'set' && inner.args[0] === variable),
    )
    if (isConditional) return undefined
    const found = at.own('set').findLast(({ args }) => args[0] === variable)
    if (found !== undefined) return found.args[1]
  }
  return undefined
}

/** The first name of the server, as nginx has it; undefined where that is no plain name: `$host` is the nearest then. */
function serverName(scope: Scope): string | undefined {
  const name = scope.args('server_name')[0]
  return name !== undefined && name !== '_' && isHost(name) && !name.startsWith('*') ? name : '$host'
}
