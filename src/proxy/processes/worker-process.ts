/**
 * A worker process as the acceptor holds it.
 *
 * I1. Every request is answered, or rejects when the process ends; none waits for ever.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { BoundSocket } from '../../runtime/index.ts'
import type { FromWorker, ToWorker, WorkerRequest } from './messages.ts'

export type WorkerAnswer = FromWorker & { readonly type: 'answer' }

export interface WorkerProcessEvents {
  told(worker: WorkerProcess, message: Exclude<FromWorker, { type: 'answer' }>): void
  ended(worker: WorkerProcess, how: string): void
}

interface Waiting {
  resolve(answer: WorkerAnswer): void
  reject(error: Error): void
}

export class WorkerProcess {
  readonly processId: number
  state: 'starting' | 'serving' | 'draining' = 'starting'
  hasEnded = false
  private readonly child: ChildProcess
  private readonly events: WorkerProcessEvents
  private readonly waiting = new Map<number, Waiting>()
  private nextId = 1
  private readonly exited: Promise<void>

  constructor(events: WorkerProcessEvents) {
    this.events = events
    // From sources the entry is TypeScript, in the published package JavaScript.
    const entry = new URL(import.meta.url.endsWith('.ts') ? './worker-entry.ts' : './worker-entry.js', import.meta.url)
    this.child = fork(entry, { serialization: 'advanced', stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.processId = this.child.pid ?? 0
    this.child.on('message', (message: FromWorker) => this.received(message))
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => this.ended(error.message, resolve))
      this.child.on('exit', (code, signal) => this.ended(signal ?? `exit status ${code}`, resolve))
    })
  }

  /** Rejects with what the worker says is wrong, or when it ends first. */
  request(request: WorkerRequest): Promise<WorkerAnswer> {
    if (this.hasEnded) return Promise.reject(new Error(`worker ${this.processId} has ended`))
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.send({ type: 'request', id, request })
    })
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

  private received(message: FromWorker): void {
    if (message.type !== 'answer') {
      this.events.told(this, message)
      return
    }
    const waiting = this.waiting.get(message.id)
    this.waiting.delete(message.id)
    if (message.error === undefined) waiting?.resolve(message)
    else waiting?.reject(new Error(message.error))
  }

  private ended(how: string, resolve: () => void): void {
    if (this.hasEnded) return
    this.hasEnded = true
    for (const { reject } of this.waiting.values()) reject(new Error(`worker ${this.processId} ended: ${how}`))
    this.waiting.clear()
    resolve()
    this.events.ended(this, how)
  }
}
