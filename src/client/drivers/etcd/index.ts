export { openEtcdDriver } from './etcd-driver.ts'
export type { EtcdCredentials, EtcdDriverOptions } from './options.ts'
