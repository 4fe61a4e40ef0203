import { test } from 'node:test'
import { runCrashSchedule } from './testing/crash-schedule.ts'

const schedules = Number(process.env.SYNOD_WAL_SCHEDULES ?? 300)
const firstSeed = Number(process.env.SYNOD_WAL_SEED ?? 1)

test('after a crash at any moment the log holds all that was acknowledged and nothing but what was appended', async () => {
  for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
    try {
      await runCrashSchedule(String(seed))
    } catch (error) {
      throw new Error(`seed ${seed}: SYNOD_WAL_SEED=${seed} SYNOD_WAL_SCHEDULES=1`, { cause: error })
    }
  }
})
