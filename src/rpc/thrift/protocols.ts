/** The `thrift` package's protocols, made to read and write structs only: envelopes and frames are the transport's. */
import { createRequire } from 'node:module'
import type * as Thrift from 'thrift'
import { RpcError } from '../service/index.ts'

/** How values are written. */
export type ThriftProtocolName = 'binary' | 'compact'

// The package is CommonJS, and its exports are known at run time only.
const thrift = loadThrift()

function loadThrift(): typeof Thrift {
  try {
    return createRequire(import.meta.url)('thrift') as typeof Thrift
  } catch (cause) {
    const message = 'synod/thrift stands on the package thrift, and it cannot be loaded: run `npm install thrift`'
    throw new RpcError('FAILED_PRECONDITION', message, { cause })
  }
}

/** The package's classes for application exceptions and the like. */
export const ThriftLibrary: typeof Thrift.Thrift = thrift.Thrift

// The package puts doubles together by arithmetic of its own, which halves some powers of two and loses the sign of zero:
// both protocols let the engine do it (IEEE 754 binary64; big-endian in binary, little-endian in compact).

class BinaryStructs extends thrift.TBinaryProtocol {
  override writeDouble(value: number): void {
    const octets = Buffer.allocUnsafe(8)
    octets.writeDoubleBE(value)
    this.getTransport().write(octets)
  }
  override readDouble(): number {
    return this.getTransport().read(8).readDoubleBE()
  }
  override writeMessageBegin(_name: string, type: Thrift.Thrift.MessageType): void {
    lastMessageType = type
  }
  override writeMessageEnd(): void {}
  override readMessageEnd(): void {}
}

class CompactStructs extends thrift.TCompactProtocol {
  override writeDouble(value: number): void {
    const octets = Buffer.allocUnsafe(8)
    octets.writeDoubleLE(value)
    this.getTransport().write(octets)
  }
  override readDouble(): number {
    return this.getTransport().read(8).readDoubleLE()
  }
  override writeMessageBegin(_name: string, type: Thrift.Thrift.MessageType): void {
    lastMessageType = type
  }
  override writeMessageEnd(): void {}
  override readMessageEnd(): void {}
}

const protocols = { binary: BinaryStructs, compact: CompactStructs } as const

/** What generated code said of the message that it wrote last, in this turn. */
let lastMessageType: Thrift.Thrift.MessageType | undefined

export type StructProtocol = new (transport: Thrift.TTransport) => Thrift.TProtocol

export function structProtocol(name: ThriftProtocolName): StructProtocol {
  return protocols[name]
}

/** Runs `write`, which writes one message to the transport it is given, and returns its struct and type. */
export function captureStruct(write: (transport: Thrift.TTransport) => void): {
  readonly struct: Uint8Array
  readonly type: Thrift.Thrift.MessageType | undefined
} {
  let struct: Uint8Array | undefined
  lastMessageType = undefined
  write(
    new thrift.TBufferedTransport(undefined, (bytes) => {
      struct = bytes
    }),
  )
  return { struct: struct ?? new Uint8Array(0), type: lastMessageType }
}

/** Reads of `bytes`, which hold one struct. */
export function structReader(bytes: Uint8Array, protocol: ThriftProtocolName): Thrift.TProtocol {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return new protocols[protocol](new thrift.TFramedTransport(buffer))
}
