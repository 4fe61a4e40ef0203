export { type AcceptorOptions, startProcesses } from './acceptor.ts'
export { createWorkerOutside, type OwnedOutside } from './outside.ts'
export { startSingleProcess } from './single-process.ts'
export { mergeViews, type ProxyStatus, type RunningProxy, type WorkerStatus } from './status.ts'
