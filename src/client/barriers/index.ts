export { type Barrier, type BarrierHoldOptions, createBarrier } from './barrier.ts'
export { createDoubleBarrier, type DoubleBarrier, type DoubleBarrierOptions } from './double-barrier.ts'
