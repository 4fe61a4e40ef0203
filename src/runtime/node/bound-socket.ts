/**
 * Sockets that are bound in one process and served by others, which accept from it themselves, as nginx's workers do. The
 * one that bound it never accepts; it keeps the socket, so that connections wait in the kernel while no other serves it.
 *
 * Node's documented `server.listen` accepts as soon as it listens; what binds and no more is `net._createServerHandle`,
 * which `node:cluster` itself uses for this.
 */
import { lookup } from 'node:dns/promises'
import * as net from 'node:net'
import { constants as osConstants } from 'node:os'
import { type Address, type BoundSocket, ListenError } from '../index.ts'
import { listenErrorFrom } from './network.ts'

interface SocketHandle {
  getsockname(out: { address?: string; port?: number }): number
  close(): void
}

type CreateServerHandle = (host: string, port: number, family: number) => SocketHandle | number

/** The codes of libuv that bind(2) can end in, by number. */
const errnoNames = new Map<number, string>(
  (['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EPERM'] as const).map((name) => [errnoOf(name), name]),
)

export async function bindSocket(address: Address): Promise<BoundSocket> {
  const create = (net as unknown as { _createServerHandle?: CreateServerHandle })._createServerHandle
  if (create === undefined)
    throw new ListenError('LISTEN_FAILED', 'this Node.js cannot bind a socket for other processes: use one process.')
  const { address: host, family } = await numericHost(address)
  const handle = create(host, address.port, family)
  if (typeof handle === 'number') throw failure(handle, address)
  // libuv tells here, not at bind, that the address is in use.
  const name: { address?: string; port?: number } = {}
  const error = handle.getsockname(name)
  if (error !== 0) {
    handle.close()
    throw failure(error, address)
  }
  return boundSocketOf({ host: address.host, port: name.port ?? address.port }, handle)
}

export function boundSocketOf(address: Address, handle: unknown): BoundSocket {
  return { address, handle, close: () => (handle as SocketHandle).close() }
}

async function numericHost(address: Address): Promise<{ readonly address: string; readonly family: number }> {
  const family = net.isIP(address.host)
  if (family !== 0) return { address: address.host, family }
  try {
    return await lookup(address.host)
  } catch (cause) {
    throw listenErrorFrom(cause as NodeJS.ErrnoException, address)
  }
}

function failure(errno: number, address: Address): ListenError {
  const code = errnoNames.get(errno) ?? `error ${errno}`
  return listenErrorFrom(Object.assign(new Error(code), { code }), address)
}

function errnoOf(name: 'EADDRINUSE' | 'EADDRNOTAVAIL' | 'EACCES' | 'EPERM'): number {
  return -osConstants.errno[name]
}
