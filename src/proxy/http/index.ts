export { isAuthority } from './authority.ts'
export type * from './exchange.ts'
export type * from './transport.ts'
