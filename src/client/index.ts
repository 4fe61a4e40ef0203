/** `synod`: coordination for TypeScript programs, on the engine they choose. Begin with {@link connect}. */
export { type ConnectOptions, connect, type PlaneEngine } from './connect/index.ts'
export { type Outcome, SynodError, type SynodErrorCode, type SynodErrorDetails } from './errors.ts'
export type { CallLimits } from './limits.ts'
export type * from './plane/index.ts'
export type { Session, SessionEvent, SessionOptions } from './sessions/index.ts'
