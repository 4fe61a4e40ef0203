// Lies between clients and one server, and can stop all bytes in silence: no connection closes.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class Relay {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #isCut = false

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      const far = connect(targetPort, '127.0.0.1')
      for (const socket of [near, far]) socket.setNoDelay()
      const pair = [near, far] as const
      this.#pairs.add(pair)
      for (const socket of pair) {
        socket.on('error', () => {})
        socket.on('close', () => {
          this.#pairs.delete(pair)
          for (const each of pair) each.destroy()
        })
      }
      if (!this.#isCut) join(pair)
    })
  }

  static async to(targetPort: number): Promise<Relay> {
    const relay = new Relay(targetPort)
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Until `mend`, nothing passes; connections can be made, and hang. */
  cut(): void {
    this.#isCut = true
    for (const pair of this.#pairs)
      for (const socket of pair) {
        socket.unpipe()
        socket.pause()
      }
  }

  /** What was held back passes. */
  mend(): void {
    this.#isCut = false
    for (const pair of this.#pairs) join(pair)
  }

  /** Breaks every connection at once. */
  reset(): void {
    for (const [near] of this.#pairs) near.destroy()
  }

  close(): void {
    this.#server.close()
    this.reset()
  }
}

function join([near, far]: readonly [Socket, Socket]): void {
  near.pipe(far).pipe(near)
}
