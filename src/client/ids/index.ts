export { idsFloor, idsFloorKey, maxIdsFloor, reservedTimes } from './floor.ts'
export { createIds, type IdGenerator, type IdsOptions } from './id-generator.ts'
