export { driverContract } from './driver-contract.ts'
export type { DriverContractWorld, DriverSubject } from './ground.ts'
