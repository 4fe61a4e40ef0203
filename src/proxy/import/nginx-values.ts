/** nginx's units and variables, as ours are written. `ngx_parse_time` and `ngx_parse_size` of nginx 1.22. */
import { isTemplateVariable } from '../config/index.ts'
import { withoutIgnoreCase } from '../routing/index.ts'

const timeUnitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 2_592_000_000,
  y: 31_536_000_000,
}

/** Milliseconds of `1m30s`, `60` (seconds), `500ms`; undefined when it is no time. */
export function nginxTimeMs(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 40 || !/^(\d+(ms|[smhdwMy])?\s*)+$/.test(text)) return undefined
  let sum = 0
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|[smhdwMy])?/g))
    sum += Number(amount) * timeUnitsMs[unit ?? 's']!
  return Number.isSafeInteger(sum) ? sum : undefined
}

/** As our file writes a time: never longer than `maxMs`. */
export function ourTime(ms: number, minMs: number, maxMs: number): string {
  const bounded = Math.min(maxMs, Math.max(minMs, ms))
  if (bounded % 1_000 !== 0) return `${bounded}ms`
  if (bounded > 0 && bounded % 3_600_000 === 0) return `${bounded / 3_600_000}h`
  return bounded > 0 && bounded % 60_000 === 0 ? `${bounded / 60_000}m` : `${bounded / 1_000}s`
}

/** Bytes of `1m`, `64k`, `512`; undefined when it is no size. */
export function nginxSize(text: string | undefined): number | undefined {
  const match = /^(\d{1,12})([kKmMgG]?)$/.exec(text ?? '')
  if (match === null) return undefined
  const unit = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2]!.toLowerCase()]!
  return Number(match[1]) * unit
}

/** As our file writes a size. */
export function ourSize(bytes: number): string | number {
  if (bytes > 0 && bytes % 1024 ** 3 === 0) return `${bytes / 1024 ** 3}GiB`
  if (bytes > 0 && bytes % 1024 ** 2 === 0) return `${bytes / 1024 ** 2}MiB`
  return bytes > 0 && bytes % 1024 === 0 ? `${bytes / 1024}KiB` : bytes
}

/** A name that our file accepts. */
export function ourName(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9_.-]+/g, '-')
    .replace(/^[^A-Za-z0-9_]+/, '')
    .slice(0, 100)
  return name === '' ? 'unnamed' : name
}

/** A regular expression of PCRE as JavaScript reads it; undefined where it means something else, or cannot be read. */
export function ourRegex(source: string): { readonly regex: string; readonly ignoreCase: boolean } | undefined {
  let regex = source.replace(/\(\?P</g, '(?<')
  const ignoreCase = regex.startsWith('(?i)')
  if (ignoreCase) regex = regex.slice(4)
  // Possessive and atomic groups, \A \z \K \h \R, inline flags, POSIX classes: another meaning, or none. nginx compares with
  // decoded paths: blanks, `%` and what is not ASCII are escaped in ours.
  if (!/^[!-$&-~]*$/.test(regex) || /\(\?[>i-]|[+*?}]\+|\\[AzZKhHRGQE]|\[\[:/.test(regex) || regex.length > 900)
    return undefined
  if (/\([^()]*[+*}][^()]*\)[+*{]/.test(regex)) return undefined
  try {
    new RegExp(regex)
  } catch {
    return undefined
  }
  return { regex, ignoreCase }
}

/**
 * The path of a `location`, which nginx compares with decoded paths, as our routes are written: there `%` begins an escape.
 * Undefined when it can be no path of a request.
 */
export function ourPath(text: string): string | undefined {
  if (!text.startsWith('/') || /[\p{Cc}\p{Cs}]/u.test(text)) return undefined
  return text.replace(/[%?#\\ ]|[^!-~]+/gu, (part) => encodeURIComponent(part))
}

export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** A text with variables as our templates have them; undefined when it has others. nginx has no way to write a bare `$`. */
export function ourTemplate(text: string): string | undefined {
  const unbraced = text.replace(/\$\{([a-z_]+)\}(?![a-z_])/g, '$$$1')
  const names = [...unbraced.matchAll(/\$([a-z_]+|\W|$)/g)].map(([, name]) => name!)
  return names.every((name) => isTemplateVariable(name)) && !/\$[0-9]/.test(unbraced) ? unbraced : undefined
}

/** Of digits alone, within bounds; undefined otherwise. */
export function wholeNumber(text: string | undefined, min: number, max: number): number | undefined {
  if (text === undefined || !/^\d{1,15}$/.test(text) || Number(text) < min) return undefined
  return Math.min(max, Number(text))
}

/** A path that our file accepts, without variables. */
export function isFile(path: string | undefined): boolean {
  return path !== undefined && /^[^\p{Cc}$]+$/u.test(path) && path.length <= 4_096
}

/** Without regard to capitals, and without a flag for it; undefined where that cannot be written. */
export function bothForms(source: string): string | undefined {
  const regex = withoutIgnoreCase(new RegExp(source, 'i'))
  return regex.flags.includes('i') ? undefined : regex.source
}
