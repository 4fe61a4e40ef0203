export { FloodSetProcess, type FloodSetProcessOptions } from './flood-set.ts'
