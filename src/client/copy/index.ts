export { type CopyOptions, type CopyPhase, type CopyProgress, type CopyReport, copyPlane } from './copy-plane.ts'
