export { ClientMachine } from './client-machine.ts'
export { type ActivityName, activityNames, drawPrograms, Programs, type ProgramShape } from './programs.ts'
