import {
  type Address,
  type BoundSocket,
  type Logger,
  type PortOpener,
  type PortSettings,
  silentLogger,
} from '../index.ts'
import { bindSocket, boundSocketOf } from './bound-socket.ts'
import { NodePort } from './port.ts'

/** Ports of this machine. */
export function createPortOpener(logger: Logger = silentLogger): PortOpener {
  return {
    bind: bindSocket,
    received: boundSocketOf,
    async open(where: Address | BoundSocket, settings: PortSettings) {
      const isBound = 'handle' in where
      return new NodePort(settings).listen(isBound ? where.address : where, isBound ? where.handle : undefined, logger)
    },
  }
}
