export { type EmbeddedDriver, openEmbeddedDriver } from './embedded-driver.ts'
export type { EmbeddedDriverOptions } from './options.ts'
