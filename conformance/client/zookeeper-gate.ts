// A network that passes everything on, and lets a test step in just before a multi leaves.
import type { ClientRuntime } from '../../src/client/driver/index.ts'
import type { Address, Connection, Network } from '../../src/runtime/index.ts'
import { FrameReader, opCodes } from '../../src/wire/zookeeper/index.ts'

export class MultiGate {
  /** Called once, before the next multi leaves; it leaves when this has resolved. */
  beforeMulti: (() => Promise<void>) | undefined
  readonly #outside: ClientRuntime

  constructor(outside: ClientRuntime) {
    this.#outside = outside
  }

  get runtime(): ClientRuntime {
    const { network } = this.#outside
    const gated: Network = {
      listen: (address, onConnection) => network.listen(address, onConnection),
      connect: (address, options) => this.#connect(address, options),
    }
    return { ...this.#outside, network: gated }
  }

  #connect(address: Address, options?: { timeoutMs?: number }): Connection {
    const connection = this.#outside.network.connect(address, options)
    let isGreeting = true
    let ready = Promise.resolve()
    const write = connection.write.bind(connection)
    connection.write = (bytes) => {
      const hasMulti = !isGreeting && framesOf(bytes).some((frame) => frame.readInt32BE(4) === opCodes.multi)
      isGreeting = false
      const step = hasMulti ? this.beforeMulti : undefined
      if (step === undefined) return write(bytes)
      this.beforeMulti = undefined
      ready = ready.then(step).then(() => {
        write(bytes)
      })
      return true
    }
    return connection
  }
}

function framesOf(bytes: Uint8Array): Buffer[] {
  const frames: Buffer[] = []
  new FrameReader(bytes.length, (frame) => frames.push(frame)).push(bytes)
  return frames
}
