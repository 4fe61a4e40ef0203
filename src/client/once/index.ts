export { OnceWriter, onceWriter } from './once-writer.ts'
export type { Apply, Step } from './operation.ts'
export { updateOnce } from './update-once.ts'
export { within } from './within.ts'
