/** A proxy that is one process: for one worker, for tests, and for embedding. */
import type { BoundSocket } from '../../runtime/index.ts'
import type { ProxyConfig } from '../config/index.ts'
import { startWorker, type WorkerOutside } from '../worker/index.ts'
import { mergeViews, type RunningProxy } from './status.ts'

export interface SingleProcess extends RunningProxy {
  /** What it accepts from, by `listenerKey`. Its own: closed with it. */
  sockets(): ReadonlyMap<string, BoundSocket>
}

export async function startSingleProcess(config: ProxyConfig, outside: WorkerOutside): Promise<SingleProcess> {
  const worker = await startWorker(config, outside)
  return {
    sockets: () => worker.sockets(),
    reload: (next) => worker.reconfigure(next),
    reopenLogs: () => worker.reopenLogs(),
    setEndpointDraining: async (upstream, endpoint, draining) =>
      worker.setEndpointDraining(upstream, endpoint, draining),
    status: async () => {
      const view = worker.view()
      const connections = view.listeners.reduce((sum, listener) => sum + listener.connections, 0)
      const state = view.isDraining ? 'draining' : 'serving'
      const { configVersion, isDraining } = view
      const workers = [{ processId: process.pid, state, connections } as const]
      return { configVersion, isDraining, crashes: 0, workers, ...mergeViews([view]) }
    },
    drain: (timeoutMs) => worker.drain(timeoutMs),
    stop: () => worker.stop(),
  }
}
