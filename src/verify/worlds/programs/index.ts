export { ClientMachine } from './client-machine.ts'
export { type ActivityName, activityNames, drawPrograms, type ProgramShape, Programs } from './programs.ts'
