export type * from './session.ts'
export { createSessions, type SessionsSettings } from './session-pool.ts'
