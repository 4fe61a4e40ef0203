/**
 * A worker process: started by the acceptor, serves what it is told, and ends with it. Signals are the acceptor's business;
 * a terminal sends them to all of its group.
 */
import type { BoundSocket } from '../../runtime/index.ts'
import { boundRegExpBacktracking, createPortOpener } from '../../runtime/node/index.ts'
import type { RateLimitShare } from '../limits/index.ts'
import { type ProxyWorker, startWorker } from '../worker/index.ts'
import type { FromWorker, ToWorker, WorkerRequest } from './messages.ts'
import { createWorkerOutside, type OwnedOutside } from './outside.ts'
import { orphanDrainMs } from './worker-guard.ts'

/** How often the others are told of the requests under way here, when they changed. */
const activeEveryMs = 100
/** How often the acceptor hears that this worker is not stuck. */
const beatEveryMs = 1_000

const sockets = new Map<string, BoundSocket>()
let worker: ProxyWorker | undefined
let outside: OwnedOutside | undefined

// Before the first configuration comes, and its expressions with it.
boundRegExpBacktracking()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const)
  process.on(signal, () => {})
process.on('disconnect', () => void end(orphanDrainMs))
process.on('message', (message: ToWorker, handle: unknown) => receive(message, handle))

function send(message: FromWorker): void {
  // The acceptor may be gone already; 'disconnect' follows.
  if (process.connected) process.send?.(message, undefined, {}, () => {})
}

function receive(message: ToWorker, handle: unknown): void {
  switch (message.type) {
    case 'socket':
      sockets.set(message.key, createPortOpener().received(message.address, handle))
      break
    case 'forget-socket':
      sockets.get(message.key)?.close()
      sockets.delete(message.key)
      break
    case 'request':
      void answer(message.id, message.request)
      break
    case 'ticket-keys':
      worker?.setTicketKeys(message.keys)
      break
    case 'health':
      worker?.importHealth(message.snapshots)
      break
    case 'foreign-active':
      worker?.setForeignActive(message.active)
      break
    case 'grant':
      worker?.grantRateLimit(message.grant)
  }
}

async function answer(id: number, request: WorkerRequest): Promise<void> {
  try {
    const result = await carryOut(request)
    send({ type: 'answer', id, error: undefined, ...result })
    if (request.type === 'drain') process.exit(0)
  } catch (error) {
    send({ type: 'answer', id, error: error instanceof Error ? error.message : String(error) })
  }
}

async function carryOut(request: WorkerRequest): Promise<Pick<FromWorker & { type: 'answer' }, 'view' | 'found'>> {
  if (request.type === 'start') {
    await start(request)
    return {}
  }
  if (request.type === 'return-sockets') {
    for (const [key, { address, handle }] of sockets) process.send?.({ type: 'socket', key, address }, handle as never)
    return {}
  }
  if (request.type === 'drain') {
    await worker?.drain(request.timeoutMs)
    await outside?.close()
    return {}
  }
  if (worker === undefined) throw new Error('the worker has not started')
  switch (request.type) {
    case 'reconfigure':
      await worker.reconfigure(request.config)
      return {}
    case 'reopen-logs':
      await worker.reopenLogs()
      return {}
    case 'view':
      return { view: worker.view() }
    case 'endpoint':
      return { found: worker.setEndpointDraining(request.upstream, request.endpoint, request.draining) }
  }
}

async function start(request: WorkerRequest & { type: 'start' }): Promise<void> {
  const { config, ticketKeys, callerId, logLevel, logFormat, registry } = request
  outside = createWorkerOutside({ logLevel, logFormat, registry, logFields: { worker: process.pid } })
  beat()
  const rateLimitShare: RateLimitShare = { request: (lease) => send({ type: 'lease', lease }) }
  worker = await startWorker(config, outside, {
    socketFor,
    ticketKeys,
    activeChecks: false,
    callerId,
    rateLimitShare,
  })
  tellActive('{}')
}

/** A worker binds no address itself: what it bound would be its own, and gone with it. */
function socketFor(key: string): BoundSocket {
  const socket = sockets.get(key)
  if (socket === undefined) throw new Error(`the socket for ${key} was not handed to this worker`)
  return socket
}

/** Tells of the requests under way when they are others than `told`. */
function tellActive(told: string): void {
  outside?.scheduler.setTimer(activeEveryMs, () => {
    const active = worker?.activeCounts() ?? {}
    const text = JSON.stringify(active)
    if (text !== told) send({ type: 'active', active })
    tellActive(text)
  })
}

function beat(): void {
  send({ type: 'beat' })
  outside?.scheduler.setTimer(beatEveryMs, beat)
}

async function end(drainMs: number): Promise<void> {
  await worker?.drain(drainMs)
  process.exit(0)
}
