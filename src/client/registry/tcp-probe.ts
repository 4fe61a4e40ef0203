import type { Address, Network } from '../../runtime/index.ts'
import { closeDetailOf } from './http-probe.ts'
import type { Probe } from './probe-loop.ts'

/** Passes when a connection is established. */
export function tcpProbe({ network }: { readonly network: Network }, address: Address): Probe {
  return (signal) =>
    new Promise((resolve) => {
      const connection = network.connect(address)
      signal.addEventListener('abort', () => connection.destroy(), { once: true })
      connection.setHandler({
        onOpen() {
          resolve(undefined)
          connection.destroy()
        },
        onData() {},
        onClose: (reason) => resolve(`the connection was ${reason}${closeDetailOf(connection.closeDetail)}`),
      })
    })
}
