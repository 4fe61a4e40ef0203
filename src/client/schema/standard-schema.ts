/**
 * What validators have in common, by the Standard Schema specification, version 1 (standardschema.dev): zod, valibot,
 * arktype and others give it. Only its types; nothing is imported.
 */

/** Turns an `Input` into an `Output`, or says what is wrong with it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    /** The library that made it. */
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    /** Never there when the program runs. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One thing that is wrong. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema accepts. */
export type SchemaInput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']
/** What it makes of that. */
export type SchemaOutput<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']
