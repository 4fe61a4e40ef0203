export type { SchemaInput, SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from './standard-schema.ts'
export { encodeJson, jsonBytes, jsonOf, parseJson, ValidationError, validated } from './validate.ts'
