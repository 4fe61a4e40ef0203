export { connectionOf } from './arguments.ts'
export { elect } from './elect.ts'
export { lock } from './lock.ts'
