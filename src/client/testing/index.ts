export { ClientWorld, type ClientWorldOptions, clientWorld, type WorldClient } from './client-world.ts'
