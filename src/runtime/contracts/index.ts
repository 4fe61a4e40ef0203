export { type DiskSubject, describeDiskContract } from './disk-contract.ts'
export { describeNetworkContract, type NetworkSubject } from './network-contract.ts'
export { describeTimeContract } from './time-contract.ts'
export { type ContractWorld, type Deferred, deferred } from './world.ts'
