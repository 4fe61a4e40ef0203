import * as net from 'node:net'
import { type Address, type Connection, ListenError, type Listener, type Logger, type Network } from '../index.ts'
import { NodeConnection, socketOptions } from './connection.ts'
import { ScratchSocket, scratchSocketOf } from './scratch-socket.ts'

/** Connections that the kernel completes before `onConnection` sees them. Linux caps it at net.core.somaxconn. */
export const backlogMax = 1024
export const connectTimeoutMsDefault = 10_000

const codeOfErrno: Readonly<Record<string, ListenError['code']>> = {
  EADDRINUSE: 'ADDRESS_IN_USE',
  EADDRNOTAVAIL: 'ADDRESS_NOT_AVAILABLE',
  ENOTFOUND: 'ADDRESS_NOT_AVAILABLE',
  EAI_AGAIN: 'ADDRESS_NOT_AVAILABLE',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
}

const adviceOf: Readonly<Record<ListenError['code'], string>> = {
  ADDRESS_IN_USE: 'Another process listens there: stop it, or choose another port.',
  ADDRESS_NOT_AVAILABLE: 'This machine has no such address: use one of its own, or 127.0.0.1 for this machine only.',
  PERMISSION_DENIED: 'Ports below 1024 need a privilege: choose a higher port.',
  LISTEN_FAILED: 'Check the address.',
}

/** TCP. */
export class NodeNetwork implements Network {
  private readonly logger: Logger
  private readonly packsReads: boolean

  /** `packsReads`: see `NodeConnection`. */
  constructor(logger: Logger, packsReads: boolean) {
    this.logger = logger
    this.packsReads = packsReads
  }

  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    const { packsReads } = this
    const server = net.createServer(socketOptions, (accepted) => {
      const socket = scratchSocketOf(accepted, socketOptions)
      const peer = addressText(socket.remoteAddress ?? '', socket.remotePort ?? 0)
      const connection = new NodeConnection(socket, peer, packsReads)
      onConnection(connection)
      connection.dropWithoutHandler()
    })
    return startListening(server, address, this.logger)
  }

  connect(address: Address, options?: { timeoutMs?: number }): Connection {
    const socket = new ScratchSocket(socketOptions)
    socket.setNoDelay(true)
    socket.setKeepAlive(true, socketOptions.keepAliveInitialDelay)
    const connection = new NodeConnection(socket, addressText(address.host, address.port), this.packsReads)
    connection.open(address, options?.timeoutMs ?? connectTimeoutMsDefault)
    return connection
  }
}

/** Has `server`, which hands its connections on itself, listen at `address`. */
export function startListening(server: net.Server, address: Address, logger: Logger): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const onListenError = (cause: NodeJS.ErrnoException): void => reject(listenErrorFrom(cause, address))
    server.once('error', onListenError)
    server.listen({ host: address.host, port: address.port, backlog: backlogMax }, () => {
      server.off('error', onListenError)
      // After this point an error is about one accept (out of descriptors, say); the listener goes on.
      server.on('error', (error) => logger.warn('cannot accept a connection', { error: error.message }))
      resolve(new NodeListener(server, address.host))
    })
  })
}

class NodeListener implements Listener {
  readonly address: Address
  private readonly server: net.Server

  constructor(server: net.Server, host: string) {
    this.server = server
    const bound = server.address() as net.AddressInfo
    this.address = { host, port: bound.port }
  }

  async close(): Promise<void> {
    // `close` frees the port at once; its callback would wait for the accepted connections, which live on.
    if (this.server.listening) this.server.close()
  }
}

export function addressText(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function listenErrorFrom(cause: NodeJS.ErrnoException, address: Address): ListenError {
  const code = codeOfErrno[cause.code ?? ''] ?? 'LISTEN_FAILED'
  const where = addressText(address.host, address.port)
  return new ListenError(code, `cannot listen on ${where}: ${cause.code ?? cause.message}. ${adviceOf[code]}`, {
    cause,
  })
}
