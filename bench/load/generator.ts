// The load generator: a process of its own, so that its CPU is counted apart. Reads one task as JSON from its first
// argument, prints one result as JSON.
import { Connection } from './connection.ts'
import { Histogram } from './histogram.ts'
import { cpuSeconds } from './process-usage.ts'
import { preloadRequest, templates, valueBytes, type Workload, writeKey } from './request-frames.ts'

export interface LoadTask {
  /** Client addresses of all nodes. */
  readonly endpoints: readonly string[]
  readonly workload: Workload | 'preload'
  readonly outstanding: number
  readonly connectionsPerNode: number
  readonly keys: number
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Server processes whose CPU is counted while it is measured. */
  readonly pids: readonly number[]
}

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Micros: number
  readonly p99Micros: number
  readonly requests: number
  readonly errors: number
  /** The first few errors. */
  readonly errorTexts: readonly string[]
  readonly seconds: number
  readonly serverCpuSeconds: number
  readonly generatorCpuSeconds: number
}

class Load {
  readonly #task: LoadTask
  readonly #connections: Connection[] = []
  readonly #templates = new Map<Connection, ReturnType<typeof templates>>()
  readonly #used = new Set<Connection>()
  readonly #errorTexts: string[] = []
  #histogram = new Histogram()
  #errors = 0
  #measuring = false
  #running = true
  #turn = 0
  #random = 0x2545f491
  #preloaded = 0
  #answered = 0
  #allPreloaded: () => void = () => {}

  constructor(task: LoadTask) {
    this.#task = task
  }

  async connect(): Promise<void> {
    for (let each = 0; each < this.#task.connectionsPerNode; each++) {
      for (const endpoint of this.#task.endpoints) {
        this.#connections.push(
          new Connection(
            endpoint,
            (connection, sentAtMs, status, bytes) => this.#answer(connection, sentAtMs, status, bytes),
            (reason) => this.#fail(reason),
          ),
        )
      }
    }
    await Promise.all(this.#connections.map((connection) => connection.handshake()))
    if (this.#task.workload === 'preload') return
    for (const connection of this.#connections) {
      this.#templates.set(connection, templates(this.#task.workload, connection.authority))
    }
  }

  #fail(reason: string): void {
    if (!this.#running) return
    this.#errors++
    if (this.#errorTexts.length < 5) this.#errorTexts.push(reason)
    if (this.#task.workload === 'preload') this.#allPreloaded()
  }

  #answer(connection: Connection, sentAtMs: number, status: string, messageBytes: number): void {
    const nowMs = performance.now()
    if (status !== '0') this.#fail(`grpc-status ${status}`)
    else if (this.#task.workload === 'range' && messageBytes < valueBytes)
      this.#fail('a range answered without its value')
    else if (this.#measuring) this.#histogram.record((nowMs - sentAtMs) * 1000)
    this.#answered++
    if (!this.#running) return
    if (this.#task.workload === 'preload') this.#preloadNext(connection)
    else this.#next(connection, nowMs)
  }

  /** The slot of the answered request asks again: on its own connection, or, when connections outnumber slots, on the next. */
  #next(connection: Connection, nowMs: number): void {
    const rotates = this.#task.outstanding < this.#connections.length
    const target = rotates ? this.#connections[this.#turn++ % this.#connections.length]! : connection
    this.#send(target, nowMs)
    // A connection flushes by itself what is asked of it while it reads.
    if (target !== connection) target.flush()
  }

  #send(connection: Connection, nowMs: number): void {
    const { first, next } = this.#templates.get(connection)!
    const template = this.#used.has(connection) ? next : first
    this.#used.add(connection)
    this.#random ^= this.#random << 13
    this.#random ^= this.#random >>> 17
    this.#random ^= this.#random << 5
    connection.request(template, (this.#random >>> 0) % this.#task.keys, nowMs, writeKey)
  }

  /** Writes every key once, many in a transaction. */
  async preload(): Promise<void> {
    const done = new Promise<void>((resolve) => (this.#allPreloaded = resolve))
    for (const connection of this.#connections) {
      for (let each = 0; each < 4; each++) this.#preloadNext(connection)
      connection.flush()
    }
    await done
  }

  #preloadNext(connection: Connection): void {
    const { keys } = this.#task
    // As many as fit into one frame of 16 KiB, the size that every server takes.
    const batch = 50
    if (this.#preloaded >= keys) {
      if (this.#answered >= Math.ceil(keys / batch)) this.#allPreloaded()
      return
    }
    const count = Math.min(batch, keys - this.#preloaded)
    const template = preloadRequest(connection.authority, this.#preloaded, count, !this.#used.has(connection))
    this.#used.add(connection)
    this.#preloaded += count
    connection.request({ ...template, keyAt: -1 }, 0, performance.now(), writeKey)
  }

  async run(): Promise<LoadResult> {
    const { outstanding, warmUpSeconds, seconds, pids } = this.#task
    for (let slot = 0; slot < outstanding; slot++) {
      this.#send(this.#connections[slot % this.#connections.length]!, performance.now())
    }
    for (const connection of this.#connections) connection.flush()
    await passed(warmUpSeconds)
    const serverCpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
    const cpuBefore = process.cpuUsage()
    const serverBefore = serverCpu()
    const startMs = performance.now()
    this.#histogram = new Histogram()
    this.#measuring = true
    await passed(seconds)
    this.#measuring = false
    const elapsed = (performance.now() - startMs) / 1000
    const cpu = process.cpuUsage(cpuBefore)
    return {
      requestsPerSecond: this.#histogram.total / elapsed,
      p50Micros: this.#histogram.quantile(0.5),
      p99Micros: this.#histogram.quantile(0.99),
      requests: this.#histogram.total,
      errors: this.#errors,
      errorTexts: this.#errorTexts,
      seconds: elapsed,
      serverCpuSeconds: serverCpu() - serverBefore,
      generatorCpuSeconds: (cpu.user + cpu.system) / 1e6,
    }
  }

  close(): LoadResult {
    this.#running = false
    for (const connection of this.#connections) connection.close()
    return {
      requestsPerSecond: 0,
      p50Micros: 0,
      p99Micros: 0,
      requests: this.#answered,
      errors: this.#errors,
      errorTexts: this.#errorTexts,
      seconds: 0,
      serverCpuSeconds: 0,
      generatorCpuSeconds: 0,
    }
  }
}

function passed(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}

const task = JSON.parse(process.argv[2] ?? '{}') as LoadTask
const load = new Load(task)
// A server that does not answer at all must not hold the benchmark for ever.
setTimeout(
  () => {
    const result = load.close()
    console.log(
      JSON.stringify({ ...result, errors: result.errors + 1, errorTexts: [...result.errorTexts, 'timed out'] }),
    )
    process.exit(1)
  },
  (task.warmUpSeconds + task.seconds + 60) * 1000,
).unref()
await load.connect()
if (task.workload === 'preload') {
  await load.preload()
  console.log(JSON.stringify(load.close()))
} else {
  const result = await load.run()
  load.close()
  console.log(JSON.stringify(result))
}
process.exit(0)
