import type { GrpcRoutes, StreamCall } from '../../grpc/index.ts'

/** A streaming call without a connection: what a service sent, and the client's side of it. */
export class FakeStream {
  readonly sent: Uint8Array[] = []
  status: { readonly status: number; readonly message: string } | undefined = undefined
  paused = false
  /** What `send` answers: whether the client keeps up. */
  keepsUp = true
  private readonly waiting: Uint8Array[] = []
  private messageCallback: (message: Uint8Array) => void = () => {}
  private halfCloseCallback: () => void = () => {}
  private cancelCallback: () => void = () => {}
  private drainCallback: () => void = () => {}

  /** Opens the stream `path` of `routes`. */
  constructor(routes: GrpcRoutes, path: string, metadata: Readonly<Record<string, string>> = {}) {
    const call = {
      metadata: (name: string) => metadata[name],
      onMessage: (callback: (message: Uint8Array) => void) => {
        this.messageCallback = callback
      },
      onHalfClose: (callback: () => void) => {
        this.halfCloseCallback = callback
      },
      onCancel: (callback: () => void) => {
        this.cancelCallback = callback
      },
      onDrain: (callback: () => void) => {
        this.drainCallback = callback
      },
      pause: () => {
        this.paused = true
      },
      resume: () => {
        this.paused = false
        this.deliver()
      },
      send: (...chunks: Uint8Array[]) => {
        if (this.status === undefined) this.sent.push(Buffer.concat(chunks))
        return this.keepsUp
      },
      end: () => {
        this.status ??= { status: 0, message: '' }
      },
      fail: (status: number, message: string) => {
        this.status ??= { status, message }
      },
    }
    const method = routes[path]
    if (method?.kind !== 'stream') throw new Error(`${path} is no stream`)
    method.handler(call as unknown as StreamCall)
  }

  write(message: Uint8Array): void {
    this.waiting.push(message)
    this.deliver()
  }

  halfClose(): void {
    this.halfCloseCallback()
  }

  cancel(): void {
    this.cancelCallback()
  }

  drain(): void {
    this.keepsUp = true
    this.drainCallback()
  }

  /** What was sent since the last call. */
  take(): Uint8Array[] {
    return this.sent.splice(0)
  }

  private deliver(): void {
    while (!this.paused && this.waiting.length > 0) this.messageCallback(this.waiting.shift() as Uint8Array)
  }
}
