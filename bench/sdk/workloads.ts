// The workloads, the same for every side: so many loops, each one operation at a time.
import { Histogram } from '../load/histogram.ts'
import type { Measured, Order, Side } from './side.ts'

interface Workload {
  readonly outstanding: number
  /** One operation of loop `at`; undefined when the side does not offer it. */
  prepare(side: Side): Promise<((at: number) => Promise<unknown>) | undefined>
}

const watchTimeoutMs = 5_000

function locks(outstanding: number, nameOf: (at: number) => string): Workload {
  return {
    outstanding,
    async prepare({ lock }) {
      return (
        lock &&
        (async (at) => {
          const release = await lock(nameOf(at))
          await release()
        })
      )
    },
  }
}

function counters(outstanding: number): Workload {
  return { outstanding, prepare: async ({ increment }) => increment && (() => increment('bench-counter')) }
}

function puts(outstanding: number): Workload {
  const value = 'v'.repeat(64)
  return { outstanding, prepare: async ({ put }) => put && ((at) => put(`bench-put-${at}`, value)) }
}

function gets(outstanding: number): Workload {
  return {
    outstanding,
    async prepare({ get, put }) {
      if (get === undefined || put === undefined) return undefined
      await put('bench-get', 'v'.repeat(64))
      return () => get('bench-get')
    },
  }
}

/** From the call of put to the value's arrival at a watcher of the same process. */
const watching: Workload = {
  outstanding: 1,
  async prepare({ watch, put }) {
    if (watch === undefined || put === undefined) return undefined
    const key = `bench-watch-${process.pid}-${watches++}`
    await put(key, '0')
    let expected = 0
    let seen: () => void = () => {}
    await watch(key, (value) => {
      if (Number(value) === expected) seen()
    })
    return () =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not seen in ${watchTimeoutMs} ms`)), watchTimeoutMs)
        expected++
        seen = () => {
          clearTimeout(timer)
          resolve()
        }
        put(key, String(expected)).catch(reject)
      })
  },
}
let watches = 0

export const workloads: Readonly<Record<string, Workload>> = {
  'lock 1': locks(1, () => 'bench-alone'),
  'lock 64 names': locks(64, (at) => `bench-${at}`),
  'lock 8 want one': locks(8, () => 'bench-contended'),
  'counter 1': counters(1),
  'counter 64': counters(64),
  'watch latency': watching,
  'put 1': puts(1),
  'put 256': puts(256),
  'stale get 1': gets(1),
  'stale get 256': gets(256),
}

/** Carries out one order on a side. */
export async function carryOut(side: Side, order: Order): Promise<Measured> {
  const workload = workloads[order.workload]
  if (workload === undefined) throw new Error(`no workload is called ${order.workload}`)
  const operation = await workload.prepare(side)
  if (operation === undefined)
    return { perSecond: 0, p50Micros: 0, p99Micros: 0, cpuMicros: 0, errors: 0, missing: true }
  await loops(workload.outstanding, operation, order.warmUpMs)
  const cpuBefore = process.cpuUsage()
  const startedMs = performance.now()
  const { histogram, errors, firstError } = await loops(workload.outstanding, operation, order.measuredMs)
  const elapsedMs = performance.now() - startedMs
  const cpu = process.cpuUsage(cpuBefore)
  return {
    perSecond: (histogram.total * 1_000) / elapsedMs,
    p50Micros: histogram.quantile(0.5),
    p99Micros: histogram.quantile(0.99),
    cpuMicros: (cpu.user + cpu.system) / Math.max(1, histogram.total),
    errors,
    firstError,
  }
}

async function loops(count: number, operation: (at: number) => Promise<unknown>, durationMs: number) {
  const histogram = new Histogram()
  const endMs = performance.now() + durationMs
  let errors = 0
  let firstError: string | undefined
  const loop = async (at: number): Promise<void> => {
    // Each does one at least, so that also what is very slow has a figure.
    do {
      const startedMs = performance.now()
      try {
        await operation(at)
        histogram.record((performance.now() - startedMs) * 1_000)
      } catch (error) {
        errors++
        firstError ??= String(error)
        // What refuses everything must not spin.
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    } while (performance.now() < endMs)
  }
  await Promise.all(Array.from({ length: count }, (_, at) => loop(at)))
  return { histogram, errors, firstError }
}
