export { createFenceTable } from './fence-table.ts'
export { type FencedUpdateOptions, fencedUpdate, type PostgresClient, type PostgresPool } from './fenced-update.ts'
