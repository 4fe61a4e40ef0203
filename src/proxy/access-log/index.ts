export { AccessLog, type AccessLogInit, type AccessLogSink } from './access-log.ts'
export { imfFixdate, TextOfSecond } from './civil-time.ts'
export type { AccessRecord, LogCache } from './record.ts'
