/** A proxy on a real port that forwards everything to one endpoint. Not part of the face. */
import type { Network } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import type { HttpLimits, ProxyUpstreamConfig } from '../config/index.ts'
import type { DownstreamProtocol, EndpointPool, RequestHandler } from '../http/index.ts'
import { Forwarder } from '../http/testing/forwarder.ts'
import { listen } from '../http/testing/listen.ts'
import { testLimits, testUpstream } from '../http/testing/settings.ts'
import { createHttp2Downstream, createHttp2Pool } from './index.ts'

/** What was not processed is sent again so often, over a test. */
const retriesMax = 10_000

export interface TestProxy {
  readonly port: number
  readonly pool: EndpointPool
  readonly downstream: DownstreamProtocol
  readonly forwarder: Forwarder
  /** Tells all clients to go. */
  shutdown(drainMs: number): void
  close(): Promise<void>
}

export interface TestProxyInit {
  readonly endpointPort: number
  readonly limits?: Partial<HttpLimits>
  readonly upstream?: Partial<ProxyUpstreamConfig>
  /** To the endpoint. */
  readonly network?: Network
  /** Instead of forwarding. */
  readonly handler?: RequestHandler
}

export async function startTestProxy(init: TestProxyInit): Promise<TestProxy> {
  const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
  const config = testUpstream({ protocol: 'http2', ...init.upstream })
  const endpoint = { host: '127.0.0.1', port: init.endpointPort }
  const pool = createHttp2Pool({ clock, scheduler, network: init.network ?? network, config, ...endpoint })
  const forwarder = new Forwarder(pool, retriesMax)
  const handler = init.handler ?? forwarder
  const downstream = createHttp2Downstream({ clock, scheduler, handler, limits: { ...testLimits, ...init.limits } })
  const listening = await listen(network, downstream)
  return {
    port: listening.port,
    pool,
    downstream,
    forwarder,
    shutdown: (drainMs) => {
      for (const served of listening.served) served.shutdown(drainMs)
    },
    close: async () => {
      pool.drain()
      await listening.close()
    },
  }
}
