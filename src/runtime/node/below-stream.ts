/**
 * What lies below Node's TCP sockets: the handle, which takes and gives bytes without the bookkeeping of streams. That
 * bookkeeping costs about a quarter of a microsecond for each small read and write, of some eight in all.
 *
 * Node promises nothing of this. Where a version does not show it, `below` is undefined, and streams do everything.
 */
import type { Socket } from 'node:net'

/** A socket's handle, as far as it is used here. */
export interface StreamHandle {
  /** Called with each read; how much it was stands in the binding's state. */
  onread: (this: StreamHandle, buffer: unknown) => void
  /** 0, or a negative error number. What the kernel does not take at once stays with `request`. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
}

/** Of one write; free for the next unless the kernel left something for later. */
export interface WriteRequest {
  oncomplete: (status: number) => void
  /** Keeps the memory until it is written. */
  buffer: Uint8Array
}

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest
  readonly streamBaseState: Int32Array
  readonly kReadBytesOrError: number
  readonly kLastWriteWasAsync: number
}

/** Undefined where Node does not show it. */
export const below: StreamBinding | undefined = streamBinding()

function streamBinding(): StreamBinding | undefined {
  const { noDeprecation } = process
  // With `--pending-deprecation` Node would warn every program that imports this, and with `--throw-deprecation` end it.
  process.noDeprecation = true
  try {
    const { binding } = process as unknown as { binding(name: string): Partial<StreamBinding> }
    const found = binding.call(process, 'stream_wrap')
    const isWhole =
      typeof found.WriteWrap === 'function' &&
      found.streamBaseState instanceof Int32Array &&
      typeof found.kReadBytesOrError === 'number' &&
      typeof found.kLastWriteWasAsync === 'number'
    return isWhole ? (found as StreamBinding) : undefined
  } catch {
    return undefined
  } finally {
    process.noDeprecation = noDeprecation ?? false
  }
}

/** Of an open TCP socket; undefined where there is none to be used. */
export function handleOf(socket: Socket): StreamHandle | undefined {
  const handle = (socket as unknown as { _handle?: Partial<StreamHandle> | null })._handle
  const isUsable = typeof handle?.onread === 'function' && typeof handle.writeBuffer === 'function'
  return isUsable ? (handle as StreamHandle) : undefined
}
