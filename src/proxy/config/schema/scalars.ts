/** Values written as one scalar: text, numbers, durations, sizes, addresses. */
import { isScalar } from 'yaml'
import type { Path } from '../problem.ts'
import { type Invalid, invalid, type Schema } from './schema.ts'
import { suggestion } from './suggestion.ts'
import { sourceText, type Value, type YamlSource } from './yaml-source.ts'

/** Why a text is not accepted; the message goes on after `is "…": `. */
export interface Refusal {
  readonly refused: string
}

export function refuse(refused: string): Refusal {
  return { refused }
}

interface ScalarTraits {
  readonly type: string
  readonly json: unknown
}

/** A scalar that `parse` understands or refuses. `raw` is the value as YAML's core schema reads it. */
export function scalar<T>(traits: ScalarTraits, parse: (text: string, raw: unknown) => T | Refusal): Schema<T> {
  return {
    forms: ['scalar'],
    type: traits.type,
    parts: [],
    json: () => traits.json,
    read(value: Value, at: Path, source: YamlSource): T | Invalid {
      if (!isScalar(value) || value.value === null) {
        source.report(at, `must be ${traits.type}`)
        return invalid
      }
      const text = sourceText(value)
      const result = parse(text, value.value)
      if (!isRefusal(result)) return result
      const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text
      source.report(at, `is ${JSON.stringify(shown)}: ${result.refused}`)
      return invalid
    },
  }
}

function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && 'refused' in value
}

/** Text as it stands; numbers and booleans count as what was written. `pattern` must match all of it. */
export function text(options: {
  readonly type: string
  readonly pattern?: RegExp
  readonly must?: string
  readonly lengthMax?: number
}): Schema<string> {
  const lengthMax = options.lengthMax ?? 4_096
  const json =
    options.pattern === undefined
      ? { type: ['string', 'number', 'boolean'] }
      : { type: ['string', 'number', 'boolean'], pattern: options.pattern.source }
  return scalar({ type: options.type, json }, (value) => {
    if (value.length > lengthMax) return refuse(`at most ${lengthMax} characters`)
    if (options.pattern !== undefined && !options.pattern.test(value)) return refuse(options.must ?? 'not allowed here')
    return value
  })
}

export function integer(min: number, max: number, what = 'a whole number'): Schema<number> {
  const type = `${what} from ${min} to ${max}`
  return scalar(
    { type: `integer ${min}–${max}`, json: { type: 'integer', minimum: min, maximum: max } },
    (_text, raw) =>
      typeof raw === 'number' && Number.isInteger(raw) && raw >= min && raw <= max ? raw : refuse(`must be ${type}`),
  )
}

export function decimal(min: number, max: number): Schema<number> {
  return scalar({ type: `number ${min}–${max}`, json: { type: 'number', minimum: min, maximum: max } }, (_text, raw) =>
    typeof raw === 'number' && raw >= min && raw <= max ? raw : refuse(`must be a number from ${min} to ${max}`),
  )
}

export function flag(): Schema<boolean> {
  return scalar({ type: '`true` or `false`', json: { type: 'boolean' } }, (_text, raw) =>
    typeof raw === 'boolean' ? raw : refuse('must be true or false'),
  )
}

export function oneOf<const T extends string>(...words: readonly T[]): Schema<T> {
  const type = words.map((word) => `\`${word}\``).join(' | ')
  return scalar({ type, json: { enum: words } }, (value) => {
    const found = words.find((word) => word === value)
    return found ?? refuse(`must be one of ${words.join(', ')}${suggestion(value, words)}`)
  })
}

/** `false` (or `off`, `none`): the thing is turned off. */
export function off(): Schema<undefined> {
  return scalar({ type: '`off`', json: { enum: [false, 'off'] } }, (value) =>
    value === 'false' || value === 'off' ? undefined : refuse('must be off to turn it off'),
  )
}

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `250ms`, `1.5s`, `1m30s`, `12h`; a bare 0. In milliseconds. Longer than `maxMs` is refused (timers end at 2^31 ms). */
export function duration(limits: { readonly minMs?: number; readonly maxMs?: number } = {}): Schema<number> {
  const { minMs = 0, maxMs = 86_400_000 } = limits
  const json = { anyOf: [{ type: 'string', pattern: '^(\\d+(\\.\\d+)?(ms|s|m|h|d))+$' }, { const: 0 }] }
  return scalar({ type: 'duration', json }, (value) => {
    const ms = parseDuration(value)
    if (ms === undefined) return refuse('write a duration with its unit, such as 250ms, 5s, 1m30s')
    if (ms < minMs || ms > maxMs) return refuse(`must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`)
    return ms
  })
}

export function parseDuration(value: string): number | undefined {
  if (value === '0') return 0
  if (value.length > 40 || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value)) return undefined
  let sum = 0
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    sum += Number(amount) * durationUnitsMs[unit!]!
  return Math.round(sum)
}

/** The shortest way to write it that {@link parseDuration} reads back. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0'
  for (const unit of ['d', 'h', 'm', 's'] as const)
    if (ms % durationUnitsMs[unit]! === 0) return `${ms / durationUnitsMs[unit]!}${unit}`
  return `${ms}ms`
}

const sizeUnits: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
}

/** `64KiB`, `1MB`, `512`. In bytes. */
export function size(min: number, max: number): Schema<number> {
  const json = { anyOf: [{ type: 'string', pattern: '^\\d+(B|kB|KB|MB|GB|KiB|MiB|GiB)?$' }, { type: 'integer' }] }
  return scalar({ type: 'size', json }, (value) => {
    const match = /^(\d{1,15})(B|[kK]B|MB|GB|KiB|MiB|GiB)?$/.exec(value)
    if (match === null) return refuse('write a size in bytes or with its unit, such as 64KiB or 1MB')
    const bytes = Number(match[1]) * sizeUnits[match[2] ?? '']!
    if (bytes < min || bytes > max) return refuse(`must be from ${formatSize(min)} to ${formatSize(max)}`)
    return bytes
  })
}

export function formatSize(bytes: number): string {
  for (const unit of ['GiB', 'MiB', 'KiB'] as const)
    if (bytes > 0 && bytes % sizeUnits[unit]! === 0) return `${bytes / sizeUnits[unit]!}${unit}`
  return String(bytes)
}

/** `25%` or `25`; 0 to 100. */
export function percent(): Schema<number> {
  const json = {
    anyOf: [
      { type: 'number', minimum: 0, maximum: 100 },
      { type: 'string', pattern: '^\\d+(\\.\\d+)?%$' },
    ],
  }
  return scalar({ type: 'percentage', json }, (value) => {
    const match = /^(\d{1,3}(?:\.\d{1,6})?)%?$/.exec(value)
    const number = match === null ? Number.NaN : Number(match[1])
    return number <= 100 ? number : refuse('must be a percentage from 0 to 100, such as 25%')
  })
}
