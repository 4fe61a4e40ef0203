export { ClientWorld, type ClientWorldOptions, clientWorld, type WorldClient } from './client-world.ts'
export { type Fault, type FaultyCall, FaultyDriver } from './faulty-driver.ts'
