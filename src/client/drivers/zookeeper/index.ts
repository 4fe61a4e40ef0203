export type { ZooKeeperDriverOptions } from './options.ts'
export { openZooKeeperDriver } from './zookeeper-driver.ts'
