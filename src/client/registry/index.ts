export type { HealthCheck, ProbeOptions, ProbeTarget } from './health-check.ts'
export type { Instance } from './instance.ts'
export { checkRegisterOptions, type RegisterOptions, type Registration } from './registration.ts'
export { createRegistry, type InstancesOptions, type Registry } from './registry.ts'
