export { whyNot } from './engine-promises.ts'
export type { PlanePromise, PlaneSubject } from './ground.ts'
export { type PlaneContractOptions, planeContract, planePromises } from './plane-contract.ts'
