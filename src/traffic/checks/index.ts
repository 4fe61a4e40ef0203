export { CheckLoop, type CheckPace } from './check-loop.ts'
export { probeOf } from './probe-of.ts'
