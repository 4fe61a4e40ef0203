// Kept connections to every worker of a proxy, so that a test can ask each of them.
import * as http from 'node:http'
import { get } from './one-request.ts'
import type { ProxyProcess } from './proxy-process.ts'

const connectionsMax = 400

export interface EveryWorker {
  /** One request on each connection: every worker gets one at least. The distinct outcomes. */
  ask(path?: string, headers?: http.OutgoingHttpHeaders): Promise<string[]>
  /** As `ask`, one after another, each outcome. */
  askEach(path?: string, headers?: http.OutgoingHttpHeaders): Promise<string[]>
  close(): void
}

/** Opens connections, one after another, until every worker holds one. The kernel chooses which accepts. */
export async function everyWorker(proxy: ProxyProcess, listener = 'web'): Promise<EveryWorker> {
  const agents: http.Agent[] = []
  const port = proxy.port(listener)
  for (;;) {
    for (let i = 0; i < 8; i++) {
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
      agents.push(agent)
      await get(port, agent, '/')
    }
    const { workers } = JSON.parse((await proxy.ask('GET', '/status')).body) as {
      workers: { state: string; connections: number }[]
    }
    if (workers.every(({ state, connections }) => state === 'serving' && connections > 0)) break
    if (agents.length >= connectionsMax)
      throw new Error(`${agents.length} connections, and a worker without: ${JSON.stringify(workers)}`)
  }
  return {
    ask: async (path, headers) => [
      ...new Set(await Promise.all(agents.map((agent) => get(port, agent, path, headers)))),
    ],
    askEach: async (path, headers) => {
      const outcomes: string[] = []
      for (const agent of agents) outcomes.push(await get(port, agent, path, headers))
      return outcomes
    },
    close: () => {
      for (const agent of agents) agent.destroy()
    },
  }
}
