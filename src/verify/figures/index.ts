export { downtimeMsMax, electionDowntimeMs, type TimeoutRange } from './election-downtime.ts'
