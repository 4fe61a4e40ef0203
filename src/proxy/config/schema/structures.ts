/** Values made of others: objects with fields, lists, maps by name, and alternatives. */
import { isAlias, isMap, isScalar, isSeq, Scalar } from 'yaml'
import type { Path } from '../problem.ts'
import {
  type Definitions,
  type FieldPage,
  type Form,
  type Invalid,
  invalid,
  type ObjectPage,
  type Schema,
} from './schema.ts'
import { suggestion } from './suggestion.ts'
import type { Entry, Value, YamlSource } from './yaml-source.ts'

/** One field of an object. `fallback` is what it is when nothing, or something wrong, is written. */
export interface Field<T> {
  readonly schema: Schema<T>
  readonly doc: string
  readonly isRequired: boolean
  readonly fallback: T
  readonly fallbackText: string | undefined
}

/** A field with a default, shown as `fallbackText` writes it. */
export function field<T>(schema: Schema<T>, fallback: T, fallbackText: string, doc: string): Field<T> {
  return { schema, doc, isRequired: false, fallback, fallbackText }
}

export function optional<T>(schema: Schema<T>, doc: string): Field<T | undefined> {
  return { schema, doc, isRequired: false, fallback: undefined, fallbackText: undefined }
}

export function required<T>(schema: Schema<T>, doc: string): Field<T> {
  return { schema, doc, isRequired: true, fallback: undefined as T, fallbackText: undefined }
}

type Fields = Readonly<Record<string, Field<unknown>>>

/** What an object reads as: its fields, where it stands, and which were written. */
export type ObjectOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never } & {
  readonly at: Path
  readonly given: ReadonlySet<string>
}

/** An object with known fields: others are refused. `title` names it on the page and in the JSON Schema. */
export function object<const F extends Fields>(title: string, doc: string, fields: F): Schema<ObjectOf<F>> {
  const names = Object.keys(fields)
  const page: ObjectPage = { title, doc, fields: names.map((name) => fieldPage(name, fields[name]!)) }
  return {
    forms: ['map'],
    type: `[${title}](#${anchorOf(title)})`,
    parts: [page],
    read(value: Value, at: Path, source: YamlSource): ObjectOf<F> | Invalid {
      if (!isMap(value)) {
        source.report(at, `must be a map with the keys of ${title}: ${names.join(', ')}`)
        return invalid
      }
      return readFields(source.entries(value, at), fields, at, source) as ObjectOf<F> | Invalid
    },
    json: (definitions) => objectJson(title, doc, fields, definitions),
  }
}

function readFields(
  entries: readonly Entry[],
  fields: Fields,
  at: Path,
  source: YamlSource,
): Record<string, unknown> | Invalid {
  const result: Record<string, unknown> = { at, given: new Set<string>() }
  const given = result['given'] as Set<string>
  let isWhole = true
  for (const { key, value, keyNode } of entries) {
    if (!Object.hasOwn(fields, key)) {
      const names = Object.keys(fields)
      const help = suggestion(key, names) || `; the keys here are ${names.join(', ')}`
      source.report([...at, key], `is not known here${help}`, keyNode)
      continue
    }
    const known = fields[key]!
    const node = source.follow(value)
    if (node === null || (isScalar(node) && node.value === null)) {
      // An alias to nothing has been told.
      if (!isAlias(value)) source.report([...at, key], 'has no value: give it one, or leave the key out')
      isWhole &&= !known.isRequired
      given.add(key)
      continue
    }
    const read = known.schema.read(node, [...at, key], source)
    given.add(key)
    if (read !== invalid) result[key] = read
    else isWhole &&= !known.isRequired
  }
  for (const [name, each] of Object.entries(fields)) {
    if (Object.hasOwn(result, name)) continue
    if (each.isRequired && !given.has(name)) {
      source.report(at, `lacks ${name}`)
      isWhole = false
    }
    result[name] = each.fallback
  }
  return isWhole ? result : invalid
}

function fieldPage(name: string, each: Field<unknown>): FieldPage {
  const { doc, isRequired, fallbackText: fallback } = each
  return { name, type: each.schema.type, doc, fallback, isRequired, parts: each.schema.parts }
}

function objectJson(title: string, doc: string, fields: Fields, definitions: Definitions): unknown {
  if (!Object.hasOwn(definitions, title)) {
    // Set before it is complete: an object may hold itself.
    definitions[title] = {}
    const properties: Record<string, unknown> = {}
    for (const [name, each] of Object.entries(fields)) {
      const inner = each.schema.json(definitions) as Record<string, unknown>
      const description = each.fallbackText === undefined ? each.doc : `${each.doc} Default: ${each.fallbackText}`
      properties[name] = '$ref' in inner ? { allOf: [inner], description } : { ...inner, description }
    }
    const requiredNames = Object.keys(fields).filter((name) => fields[name]!.isRequired)
    definitions[title] = {
      type: 'object',
      description: doc,
      properties,
      additionalProperties: false,
      ...(requiredNames.length > 0 ? { required: requiredNames } : {}),
    }
  }
  return { $ref: `#/$defs/${title.replaceAll(' ', '%20')}` }
}

export function anchorOf(title: string): string {
  return title.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}

/** A list; with `orOne`, one item may stand without a list. Wrong items are left out. */
export function list<T>(
  of: Schema<T>,
  options: { readonly itemsMax: number; readonly itemsMin?: number; readonly orOne?: boolean },
): Schema<readonly T[]> {
  const { itemsMax, itemsMin = 0, orOne = false } = options
  return {
    forms: orOne ? ['list', ...of.forms.filter((form) => form !== 'list')] : ['list'],
    type: orOne ? `${of.type}, or a list of them` : `list of ${of.type}`,
    parts: of.parts,
    read(value: Value, at: Path, source: YamlSource): readonly T[] | Invalid {
      if (!isSeq(value)) {
        if (!orOne) {
          source.report(at, 'must be a list: put "- " before each item')
          return invalid
        }
        const one = of.read(value, at, source)
        return one === invalid ? invalid : [one]
      }
      if (value.items.length < itemsMin)
        source.report(at, `must have at least ${itemsMin} item${itemsMin === 1 ? '' : 's'}`)
      if (value.items.length > itemsMax) {
        source.report(at, `has ${value.items.length} items: at most ${itemsMax}`)
        return invalid
      }
      const items: T[] = []
      for (const [index, item] of value.items.entries()) {
        if (source.isExhausted) break
        const read = of.read(source.follow(item), [...at, index], source)
        if (read !== invalid) items.push(read)
      }
      return items
    },
    json(definitions) {
      const items = of.json(definitions)
      const array = { type: 'array', items, maxItems: itemsMax, ...(itemsMin > 0 ? { minItems: itemsMin } : {}) }
      return orOne ? { anyOf: [items, array] } : array
    },
  }
}

/** A map from names to values, in the order written. */
export function record<T>(
  of: Schema<T>,
  options: { readonly keys: Schema<string>; readonly keyName: string; readonly entriesMax: number },
): Schema<readonly (readonly [string, T])[]> {
  return {
    forms: ['map'],
    type: `map from ${options.keyName} to ${of.type}`,
    parts: of.parts,
    read(value: Value, at: Path, source: YamlSource): readonly (readonly [string, T])[] | Invalid {
      if (!isMap(value)) {
        const what = `must be a map from ${options.keyName} to ${withoutLinks(of.type)}`
        const help = ': write each name with a colon, and what belongs to it below, further in'
        source.report(at, isSeq(value) ? `is a list, and ${what}${help}` : `${what}${help}`)
        return invalid
      }
      const entries = source.entries(value, at)
      if (entries.length > options.entriesMax) {
        source.report(at, `has ${entries.length} entries: at most ${options.entriesMax}`)
        return invalid
      }
      const result: (readonly [string, T])[] = []
      for (const entry of entries) {
        if (source.isExhausted) break
        const path = [...at, entry.key]
        const key = options.keys.read(textNode(entry.key), path, source)
        const read = of.read(source.follow(entry.value), path, source)
        if (key !== invalid && read !== invalid) result.push([key, read])
      }
      return result
    },
    json: (definitions) => ({
      type: 'object',
      additionalProperties: of.json(definitions),
      maxProperties: options.entriesMax,
    }),
  }
}

/** For messages, which are no Markdown. */
function withoutLinks(type: string): string {
  return type.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
}

function textNode(value: string): Value {
  return new Scalar(value)
}

/** One of several ways to write it, told apart by form: scalar, map or list. The last is asked when none fits. */
export function either<A, B>(first: Schema<A>, second: Schema<B>): Schema<A | B> {
  return {
    forms: [...new Set([...first.forms, ...second.forms])],
    type: `${first.type}, or ${second.type}`,
    parts: [...first.parts, ...second.parts],
    read(value: Value, at: Path, source: YamlSource): A | B | Invalid {
      const form = formOf(value)
      if (form !== undefined && first.forms.includes(form)) return first.read(value, at, source)
      if (form !== undefined && second.forms.includes(form)) return second.read(value, at, source)
      source.report(at, `must be ${withoutLinks(first.type)}, or ${withoutLinks(second.type)}`)
      return invalid
    },
    json: (definitions) => ({ anyOf: [first.json(definitions), second.json(definitions)] }),
  }
}

/** `off` (or `false`) gives undefined; else as `schema` says. */
export function orOff<T>(schema: Schema<T>): Schema<T | undefined> {
  return {
    ...schema,
    forms: schema.forms.includes('scalar') ? schema.forms : ['scalar', ...schema.forms],
    type: `\`off\`, or ${schema.type}`,
    read(value, at, source) {
      if (isScalar(value) && (value.value === false || value.value === 'off')) return undefined
      return schema.read(value, at, source)
    },
    json: (definitions) => ({ anyOf: [{ enum: [false, 'off'] }, schema.json(definitions)] }),
  }
}

/** What was read, made into something else. */
export function mapped<A, B>(
  schema: Schema<A>,
  into: (read: A, at: Path, source: YamlSource) => B | Invalid,
): Schema<B> {
  return {
    ...schema,
    read(value, at, source) {
      const read = schema.read(value, at, source)
      return read === invalid ? invalid : into(read, at, source)
    },
  }
}

/** The same, called otherwise on the page. */
export function called<T>(schema: Schema<T>, type: string): Schema<T> {
  return { ...schema, type }
}

function formOf(value: Value): Form | undefined {
  if (isMap(value)) return 'map'
  if (isSeq(value)) return 'list'
  return isScalar(value) && value.value !== null ? 'scalar' : undefined
}
