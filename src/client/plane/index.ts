export { createCoordinationPlane } from './coordination-plane.ts'
export type * from './plane.ts'
