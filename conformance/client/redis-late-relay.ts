// Lies between clients and one server, and can hold back what clients send and deliver it after they have gone.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

interface Way {
  readonly near: Socket
  readonly far: Socket
  readonly held: Buffer[]
  isHeld: boolean
}

export class LateRelay {
  readonly #server: Server
  readonly #ways = new Set<Way>()

  private constructor(targetPort: number) {
    this.#server = createServer((near) => {
      const way: Way = { near, far: connect(targetPort, '127.0.0.1'), held: [], isHeld: false }
      const { far, held } = way
      this.#ways.add(way)
      for (const socket of [near, far]) socket.setNoDelay().on('error', () => {})
      near.on('data', (bytes: Buffer) => (way.isHeld ? held.push(bytes) : far.write(bytes)))
      far.on('data', (bytes: Buffer) => (way.isHeld ? undefined : near.write(bytes)))
      near.on('close', () => (way.isHeld ? undefined : far.destroy()))
      far.on('close', () => near.destroy())
    })
  }

  static async to(targetPort: number): Promise<LateRelay> {
    const relay = new LateRelay(targetPort)
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve))
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** From now on nothing passes on the connections there are; later ones work. */
  holdBack(): void {
    for (const way of this.#ways) way.isHeld = true
  }

  /** Sends on what was held back, and waits until the server has read it or refused it. */
  async deliver(): Promise<void> {
    for (const { far, held, isHeld } of this.#ways) {
      if (!isHeld) continue
      const closed = far.closed ? Promise.resolve() : once(far, 'close')
      for (const bytes of held) far.write(bytes)
      far.end()
      await closed
    }
  }

  close(): void {
    this.#server.close()
    for (const { near, far } of this.#ways) for (const socket of [near, far]) socket.destroy()
  }
}
