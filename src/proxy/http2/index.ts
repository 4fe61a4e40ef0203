export { createHttp2Downstream } from './downstream.ts'
export { createHttp2Pool } from './pool.ts'
