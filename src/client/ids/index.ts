export { idsFloor, idsFloorKey, maxIdsFloor, reservedTimes } from './floor.ts'
export { createIds, type IdGenerator, type IdsOptions } from './id-generator.ts'
export { epochMs, idOf, idText, idTimeMsMax, refuseTimeBeyond, sequenceMax, slotCount } from './id-layout.ts'
export { sharedIds } from './shared-ids.ts'
