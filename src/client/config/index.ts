export type { Config, ConfigChange, ConfigOptions, PartOf } from './config.ts'
export { createConfig } from './create-config.ts'
