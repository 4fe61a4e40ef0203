import { SynodError } from '../errors.ts'

/** Where fences keep their tokens, unless told otherwise. */
export const fenceTableDefault = 'synod_fences'

/** A table's name as SQL takes it, its schema first if it has one. */
export function quotedTable(table: string): string {
  const parts = table.split('.')
  if (parts.length <= 2 && parts.every((part) => /^[^"\0]{1,63}$/.test(part)))
    return parts.map((part) => `"${part}"`).join('.')
  throw new SynodError('INVALID_ARGUMENT', `${JSON.stringify(table)} is no table's name: give NAME or SCHEMA.NAME`)
}

/**
 * The SQL that makes the table of fences, if it is not there: one row for each resource, with the highest token that was
 * seen. Run it once, with your migrations.
 *
 * @example
 * await client.query(createFenceTable())
 */
export function createFenceTable(table: string = fenceTableDefault): string {
  return `CREATE TABLE IF NOT EXISTS ${quotedTable(table)} (
  resource text PRIMARY KEY,
  token bigint NOT NULL CHECK (token >= 0)
)`
}
