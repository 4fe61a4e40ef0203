export { type Counter, type CounterBounds, type CounterOptions, createCounter } from './counter.ts'
export { assertInteger, decodeCounterValue } from './counter-value.ts'
export { createShardedCounter, type ShardedCounter, type ShardedCounterOptions } from './sharded-counter.ts'
