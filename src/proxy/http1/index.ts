export { createHttp1Downstream } from './downstream.ts'
export { createHttp1Pool } from './pool.ts'
