/**
 * A worker process as the acceptor holds it.
 *
 * I1. Every request is answered, or rejects when the process ends; none waits for ever: a worker that has not answered
 *     after `answerMsMax` is stuck, and killed. (Whoever tells it to drain sets a time for that.)
 *     Nor does one that says nothing: it beats every second from its start on, and the acceptor looks at `silentLooks`.
 * I2. `given` are the sockets that the process holds.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { BoundSocket, PortOpener, Scheduler, Timer } from '../../runtime/index.ts'
import type { FromWorker, ToWorker, WorkerRequest } from './messages.ts'

export type WorkerAnswer = FromWorker & { readonly type: 'answer' }

export interface WorkerProcessEvents {
  told(worker: WorkerProcess, message: Exclude<FromWorker, { type: 'answer' | 'socket' | 'beat' }>): void
  ended(worker: WorkerProcess, how: string): void
}

/** Nothing that a worker is asked for takes this long. */
const answerMsMax = 30_000

interface Waiting {
  readonly timer: Timer | undefined
  resolve(answer: WorkerAnswer): void
  reject(error: Error): void
}

export class WorkerProcess {
  readonly processId: number
  state: 'starting' | 'serving' | 'draining' = 'starting'
  hasEnded = false
  /** Looks of the acceptor since something was heard of it; -1: nothing yet. */
  private silentLooks = -1
  private readonly child: ChildProcess
  private readonly events: WorkerProcessEvents
  private readonly scheduler: Scheduler
  private readonly given = new Map<string, BoundSocket>()
  private returned: { readonly ports: PortOpener; readonly sockets: Map<string, BoundSocket> } | undefined
  private readonly waiting = new Map<number, Waiting>()
  private nextId = 1
  private readonly exited: Promise<void>

  constructor(scheduler: Scheduler, events: WorkerProcessEvents) {
    this.scheduler = scheduler
    this.events = events
    // From sources the entry is TypeScript, in the published package JavaScript.
    const entry = new URL(import.meta.url.endsWith('.ts') ? './worker-entry.ts' : './worker-entry.js', import.meta.url)
    this.child = fork(entry, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.processId = this.child.pid ?? 0
    this.child.on('message', (message: FromWorker, handle: unknown) => this.received(message, handle))
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => this.ended(error.message, resolve))
      this.child.on('exit', (code, signal) => this.ended(signal ?? `exit status ${code}`, resolve))
    })
  }

  /**
   * The acceptor looks, at even times: how many looks ago something was heard. Counted in looks and not by the clock, since
   * an acceptor that was stopped itself has heard nothing of anybody.
   */
  look(): number {
    if (this.silentLooks < 0) return 0
    return ++this.silentLooks
  }

  /** Rejects with what the worker says is wrong, or when it ends first. */
  request(request: WorkerRequest): Promise<WorkerAnswer> {
    if (this.hasEnded) return Promise.reject(new Error(`worker ${this.processId} has ended`))
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      const timer =
        request.type === 'drain' ? undefined : this.scheduler.setTimer(answerMsMax, () => this.child.kill('SIGKILL'))
      this.waiting.set(id, { timer, resolve, reject })
      this.send({ type: 'request', id, request })
    })
  }

  /** Those that it does not hold yet. */
  giveSockets(sockets: ReadonlyMap<string, BoundSocket>): void {
    for (const [key, socket] of sockets) {
      if (this.given.get(key) === socket) continue
      this.given.set(key, socket)
      this.send({ type: 'socket', key, address: socket.address }, socket)
    }
  }

  forgetSockets(keys: readonly string[]): void {
    for (const key of keys) if (this.given.delete(key)) this.send({ type: 'forget-socket', key })
  }

  send(message: ToWorker, socket?: BoundSocket): void {
    if (this.hasEnded || !this.child.connected) return
    // A failure to send means that it ended, which 'exit' tells.
    this.child.send(message, socket?.handle as undefined, {}, () => {})
  }

  async kill(): Promise<void> {
    if (!this.hasEnded) this.child.kill('SIGKILL')
    await this.exited
  }

  whenEnded(): Promise<void> {
    return this.exited
  }

  /** The sockets it holds, each with a descriptor of this process's own. */
  async returnSockets(ports: PortOpener): Promise<ReadonlyMap<string, BoundSocket>> {
    this.returned = { ports, sockets: new Map() }
    await this.request({ type: 'return-sockets' })
    const { sockets } = this.returned
    this.returned = undefined
    for (const [key, socket] of sockets) this.given.set(key, socket)
    return sockets
  }

  private received(message: FromWorker, handle: unknown): void {
    this.silentLooks = 0
    if (message.type === 'beat') return
    if (message.type === 'socket') {
      const { key, address } = message
      this.returned?.sockets.set(key, this.returned.ports.received(address, handle))
      return
    }
    if (message.type !== 'answer') {
      this.events.told(this, message)
      return
    }
    const waiting = this.waiting.get(message.id)
    this.waiting.delete(message.id)
    waiting?.timer?.cancel()
    if (message.error === undefined) waiting?.resolve(message)
    else waiting?.reject(new Error(message.error))
  }

  private ended(how: string, resolve: () => void): void {
    if (this.hasEnded) return
    this.hasEnded = true
    for (const { timer, reject } of this.waiting.values()) {
      timer?.cancel()
      reject(new Error(`worker ${this.processId} ended: ${how}`))
    }
    this.waiting.clear()
    resolve()
    this.events.ended(this, how)
  }
}
