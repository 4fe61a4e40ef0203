export { createSchedule, type Schedule, type ScheduledRun, type ScheduleOptions } from './schedule.ts'
