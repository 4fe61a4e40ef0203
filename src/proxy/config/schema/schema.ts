/**
 * What a schema is: one declaration from which a file is validated and read (`read`), the reference page is written
 * (`type`, `sections`), and a JSON Schema for editors is made (`json`).
 */
import type { Path } from '../problem.ts'
import type { Value, YamlSource } from './yaml-source.ts'

/** What `read` gives when the value is wrong; the problem has been reported. */
export const invalid: unique symbol = Symbol('invalid')
export type Invalid = typeof invalid

/** How a value is written: as a scalar, a map or a list. Tells alternatives apart. */
export type Form = 'scalar' | 'map' | 'list'

/** Where JSON Schemas of named objects are collected. */
export type Definitions = Record<string, unknown>

export interface Schema<T> {
  readonly forms: readonly Form[]
  /** For people: `duration`, `list of address`, a name in a link. */
  readonly type: string
  /** The objects that it is made of, for the page. */
  readonly parts: readonly ObjectPage[]
  /** Reads a value that is there. Reports what is wrong with it at `at`. */
  read(value: Value, at: Path, source: YamlSource): T | Invalid
  json(definitions: Definitions): unknown
}

/** One object as the reference page shows it. */
export interface ObjectPage {
  readonly title: string
  readonly doc: string
  readonly fields: readonly FieldPage[]
}

export interface FieldPage {
  readonly name: string
  readonly type: string
  readonly doc: string
  /** As it would be written; undefined: none, or required. */
  readonly fallback: string | undefined
  readonly isRequired: boolean
  readonly parts: readonly ObjectPage[]
}

export type Read<S> = S extends Schema<infer T> ? T : never
