import { boolean, buffer, type Carried, type Codec, int, type JuteReader, JuteWriter, long, record } from './jute.ts'

/**
 * The first frame of a connection, without header.
 *
 *     int protocolVersion (0)   long lastZxidSeen   int timeOut   long sessionId   buffer passwd   [boolean readOnly]
 *
 * Session id 0 asks for a new session; otherwise the session is resumed with its password. Peers before 3.4 leave out
 * `readOnly`, which is then false.
 */
const connectRequestFields = record({
  protocolVersion: int,
  lastZxidSeen: long,
  timeOut: int,
  sessionId: long,
  passwd: buffer,
})

/**
 * The first frame of the answer, without header.
 *
 *     int protocolVersion   int timeOut   long sessionId   buffer passwd   [boolean readOnly]
 *
 * Time-out 0 and session id 0: the session that was to be resumed is over.
 */
const connectResponseFields = record({ protocolVersion: int, timeOut: int, sessionId: long, passwd: buffer })

export type ConnectRequest = Carried<typeof connectRequestFields> & { readonly readOnly: boolean }
export type ConnectResponse = Carried<typeof connectResponseFields> & { readonly readOnly: boolean }

function withReadOnly<T extends object>(fields: Codec<T>): Codec<T & { readonly readOnly: boolean }> {
  return {
    write(writer, value) {
      fields.write(writer, value)
      boolean.write(writer, value.readOnly)
    },
    read(reader: JuteReader) {
      const value = fields.read(reader)
      return { ...value, readOnly: reader.remaining > 0 && boolean.read(reader) }
    },
  }
}

export const connectRequest: Codec<ConnectRequest> = withReadOnly(connectRequestFields)
export const connectResponse: Codec<ConnectResponse> = withReadOnly(connectResponseFields)

/** A frame of its own: the length, then what `write` writes. */
export function frame(write: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter()
  writer.int(0)
  write(writer)
  writer.patchInt(0, writer.length - 4)
  return writer.finish()
}
