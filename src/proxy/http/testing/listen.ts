import type { Connection, Network } from '../../../runtime/index.ts'
import type { DownstreamProtocol } from '../index.ts'
import { testClient } from './settings.ts'

export interface Listening {
  readonly port: number
  /** What serves the connections so far, in their order. */
  readonly served: ReturnType<DownstreamProtocol['accept']>[]
  /** Also breaks the connections that are open. */
  close(): Promise<void>
}

/** Serves what is accepted on `network`, until closed. */
export async function listen(network: Network, downstream: DownstreamProtocol, host = '127.0.0.1'): Promise<Listening> {
  const open = new Set<Connection>()
  const served: Listening['served'] = []
  const listener = await network.listen({ host, port: 0 }, (connection) => {
    open.add(connection)
    const taken = downstream.accept(connection, testClient, new Uint8Array(0))
    served.push(taken)
    connection.setHandler({
      onData: (bytes) => taken.onData(bytes),
      onEnd: () => taken.onEnd?.(),
      onDrain: () => taken.onDrain?.(),
      onClose: (reason) => {
        open.delete(connection)
        taken.onClose(reason)
      },
    })
  })
  return {
    port: listener.address.port,
    served,
    close: async () => {
      await listener.close()
      for (const connection of open) connection.destroy()
    },
  }
}
