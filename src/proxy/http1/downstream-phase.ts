/** Who has the word on a downstream connection. */
export const Phase = {
  /** Idle, or within a head. */
  head: 0,
  exchange: 1,
  /** The response is complete; the rest of the request's body is dropped. */
  discarding: 2,
  /** The connection carries another protocol. */
  upgraded: 3,
  /** Our half is closed; what the client still sends is dropped until it closes. */
  lingering: 4,
  gone: 5,
}

/** After the last response a client may still send this much, and this long, until it has read what was sent to it. */
export const lingerBytesMax = 1 << 20
export const lingerMs = 2_000
