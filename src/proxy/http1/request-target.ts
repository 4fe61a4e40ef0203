/** The four forms of a request target (RFC 9112 §3.2). */
import { isAuthority } from '../http/index.ts'
import { type Refusal, refusals } from './refusal.ts'

export interface RequestTarget {
  /** Origin form, or `*`. */
  readonly target: string
  /** From the absolute form; undefined: `Host` says it. */
  readonly authority: string | undefined
}

const brokenPercent = /%(?![0-9A-Fa-f]{2})/
const absoluteForm = /^https?:\/\/([^/?]*)(.*)$/i

/** `text` holds only octets that a target may have; `hasPercent` when one of them is `%`. */
export function readTarget(method: string, text: string, hasPercent: boolean): RequestTarget | Refusal {
  if (method === 'CONNECT') return refusals.connectMethod
  if (text.charCodeAt(0) === slash) {
    return hasPercent && isPercentBroken(text) ? refusals.invalidTarget : { target: text, authority: undefined }
  }
  if (text === '*') return method === 'OPTIONS' ? asterisk : refusals.invalidTargetForm
  const match = absoluteForm.exec(text)
  if (match === null) return refusals.invalidTargetForm
  const [, authority, rest] = match
  if (!isAuthority(authority!)) return refusals.invalidHost
  if (isPercentBroken(rest!)) return refusals.invalidTarget
  if (rest === '' && method === 'OPTIONS') return { target: '*', authority }
  return { target: rest!.charCodeAt(0) === slash ? rest! : `/${rest}`, authority }
}

/** In the path, where readers decode it. Browsers send a lone `%` in queries as it is. */
function isPercentBroken(target: string): boolean {
  const query = target.indexOf('?')
  return brokenPercent.test(query === -1 ? target : target.slice(0, query))
}

const asterisk: RequestTarget = { target: '*', authority: undefined }
const slash = 0x2f
