export { type ClockFaults, drawClockFaults } from './clock.ts'
export type { CrashMoment, DiskDamage, DiskFaults, DiskOperation } from './disk-faults.ts'
export type { EventCounts } from './event-counts.ts'
export { type FaultCounts, type FaultKind, type FaultReport, faultKinds } from './fault-ledger.ts'
export type { FlapOptions } from './flapping.ts'
export type { NodeSpeed } from './gate.ts'
export type { LinkFaults } from './links.ts'
export type { SimulatedLogLine } from './logger.ts'
export type { MessageFate, MessageFaults, MessageGate, MessageRule } from './message-faults.ts'
export type { CrashAtDiskOperation, CrashKind, SimulatedNode } from './node.ts'
export type { DelayRangeMs } from './random.ts'
export {
  type CrashListener,
  createSimulation,
  type EventListener,
  type RunEnd,
  type RunLimits,
  type Simulation,
  type SimulationOptions,
} from './simulation.ts'
