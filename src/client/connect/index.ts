export { connect } from './connect.ts'
export { type ConnectionScheme, type ConnectionTarget, parseConnectionString } from './connection-string.ts'
export { type OpenContext, openContext } from './open-context.ts'
export type { ConnectOptions, PlaneEngine } from './options.ts'
