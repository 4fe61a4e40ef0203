/**
 * A machine on which a program lives that uses the client: its own clock, its own links to the nodes, one process after
 * another. Everything that a process does, and its client, runs in events of the machine: while it stands still nothing
 * of it goes on, and what a crash ended never does.
 *
 * - P1  At most one process lives on a machine. `onEnd` of a life is called once, when it ends, and nothing of it runs after.
 */
import type { OpenContext } from '../../../client/connect/index.ts'
import { openEtcdDriver } from '../../../client/drivers/etcd/index.ts'
import type { SynodError, SynodErrorCode } from '../../../client/index.ts'
import { createSessions } from '../../../client/sessions/index.ts'
import type { Runtime } from '../../../runtime/index.ts'
import type { SimulatedNode, Simulation } from '../../../runtime/simulation/index.ts'

/** What primitives are made with. */
export type PlaneContext = OpenContext['context']

/** What the clients of a world are opened with. */
export interface ClientSettings {
  /** The nodes' names. */
  readonly nodes: readonly string[]
  readonly port: number
  readonly sessionTtlMs: number
  readonly requestTimeoutMs: number
  /** How far the clocks of a client and of the engine may part, in millionths. */
  readonly driftPpm: number
}

/** One process. */
export interface ClientLife {
  /** No other process of this world has the same. */
  readonly name: string
  readonly machine: ClientMachine
  readonly runtime: Runtime
  readonly context: PlaneContext
  /** Fires when the program is to begin nothing more. */
  readonly stopping: AbortSignal
  /** Fires after that, when it is to follow nothing more either. */
  readonly ending: AbortSignal
  /** Called once when the process ends. */
  readonly onEnd: Set<() => void>
  sleep(ms: number): Promise<void>
}

/** What goes wrong when networks, nodes and sessions do. Anything else is a mistake of the client. */
const expected: ReadonlySet<SynodErrorCode> = new Set([
  'TIMEOUT',
  'CANCELLED',
  'UNAVAILABLE',
  'SESSION_LOST',
  'LOCK_LOST',
  'NOT_LEADER',
  'LEASE_NOT_FOUND',
  'RESOURCE_EXHAUSTED',
  'CONFLICT',
  'COMPACTED',
  'NO_SPACE',
])

interface LiveProcess {
  readonly onEnd: Set<() => void>
  readonly stop: AbortController
  readonly end: AbortController
}

const noTracing: PlaneContext['tracing'] = { span: (_name, _attributes, work) => work() }

export class ClientMachine {
  readonly name: string
  private readonly simulation: Simulation
  private readonly settings: ClientSettings
  private readonly program: (life: ClientLife) => void
  private life: LiveProcess | undefined
  private drift = 0

  constructor(simulation: Simulation, name: string, settings: ClientSettings, program: (life: ClientLife) => void) {
    this.simulation = simulation
    this.name = name
    this.settings = settings
    this.program = program
    simulation.createNode(name)
    simulation.crash(name, 'process-death')
  }

  get isAlive(): boolean {
    return this.life !== undefined
  }

  get isPaused(): boolean {
    return this.simulated.isPaused
  }

  private get simulated(): SimulatedNode {
    return this.simulation.node(this.name)
  }

  /** True milliseconds in which the machine's clock counts `localMs`, at its present pace. */
  trueMs(localMs: number): number {
    return localMs / (1 + this.drift / 1e6)
  }

  start(): void {
    if (this.life !== undefined) return
    this.simulation.restart(this.name)
    const life: LiveProcess = { onEnd: new Set(), stop: new AbortController(), end: new AbortController() }
    this.life = life
    const { runtime, incarnationNumber } = this.simulated
    const sleep = (ms: number): Promise<void> =>
      new Promise((resolve) => {
        runtime.scheduler.setTimer(ms, resolve)
      })
    void this.open(runtime, sleep).then((context) => {
      const name = `${this.name}.${incarnationNumber}`
      const { onEnd, stop, end } = life
      const signals = { stopping: stop.signal, ending: end.signal }
      this.program({ name, machine: this, runtime, context, ...signals, onEnd, sleep })
    })
  }

  crash(): void {
    const { life } = this
    if (life === undefined) return
    this.life = undefined
    for (const each of life.onEnd) each()
    this.simulation.crash(this.name, 'process-death')
  }

  /** Asks the process to end what it is about; it lives on, and begins nothing. */
  stop(): void {
    this.life?.stop.abort()
  }

  /** Asks it to end what it follows, too. */
  end(): void {
    this.life?.end.abort()
  }

  pause(): void {
    if (this.isAlive) this.simulated.pause()
  }

  resume(): void {
    this.simulated.resume()
  }

  setDrift(driftPpm: number): void {
    this.drift = driftPpm
    this.simulated.setClock({ driftPpm })
  }

  setSkew(skewMs: number): void {
    this.simulated.setClock({ skewMs })
  }

  private async open(runtime: Runtime, sleep: (ms: number) => Promise<void>): Promise<PlaneContext> {
    const { nodes, port, requestTimeoutMs, sessionTtlMs: ttlMs, driftPpm } = this.settings
    const endpoints = nodes.map((host) => ({ host, port }))
    for (;;) {
      try {
        const options = { engine: 'synod', endpoints, requestTimeoutMs, watchProgressMs: 1000 } as const
        const driver = await openEtcdDriver(options, runtime)
        return { driver, sessions: createSessions(driver, { ttlMs, driftPpm }), tracing: noTracing, namespace: '' }
      } catch (error) {
        if (!isExpected(error)) throw error
        await sleep(200)
      }
    }
  }
}

/** Whether faults of the world can have led to it. */
export function isExpected(error: unknown): error is SynodError {
  return error instanceof Error && error.name === 'SynodError' && expected.has((error as SynodError).code)
}
