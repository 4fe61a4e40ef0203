export { ownRead, type PendingRead, PendingReads, type ReadRound } from '../consensus/index.ts'
