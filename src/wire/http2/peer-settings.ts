import { Http2ErrorCode, Setting, windowBytesMax } from './protocol.ts'

/** The settings of one SETTINGS frame that matter here. A setting given twice counts the last time (§6.5.3). */
export interface PeerSettings {
  readonly headerTableBytes: number | undefined
  readonly initialWindowBytes: number | undefined
  readonly frameBytesMax: number | undefined
  /** Streams that this side may have open; a server opens none. */
  readonly concurrentStreamsMax: number | undefined
}

/** Reads the payload `bytes[start..end)`, a multiple of 6 bytes: Identifier (16), Value (32). Or says what is wrong. */
export function readPeerSettings(bytes: Buffer, start: number, end: number): PeerSettings | Http2ErrorCode {
  let headerTableBytes: number | undefined
  let initialWindowBytes: number | undefined
  let frameBytesMax: number | undefined
  let concurrentStreamsMax: number | undefined
  for (let at = start; at < end; at += 6) {
    const value = bytes.readUInt32BE(at + 2)
    switch (bytes.readUInt16BE(at)) {
      case Setting.headerTableSize:
        // The least value of the frame is the one an encoder must obey; a later larger one gains nothing here.
        headerTableBytes = Math.min(headerTableBytes ?? value, value)
        break
      case Setting.enablePush:
        if (value > 1) return Http2ErrorCode.protocolError
        break
      case Setting.initialWindowSize:
        if (value > windowBytesMax) return Http2ErrorCode.flowControlError
        initialWindowBytes = value
        break
      case Setting.maxFrameSize:
        if (value < 16_384 || value > 16_777_215) return Http2ErrorCode.protocolError
        frameBytesMax = value
        break
      case Setting.maxConcurrentStreams:
        concurrentStreamsMax = value
        break
      default:
        break
    }
  }
  return { headerTableBytes, initialWindowBytes, frameBytesMax, concurrentStreamsMax }
}
