/**
 * Which messages travel compressed, one by one: what a program chose for a message that it sends, and how one came that it
 * got. Both are kept beside the message, so that messages and handlers look the same with and without; transports that
 * compress nothing (Thrift) pay no heed to it. On its way to and from a transport the encoded message carries them.
 */

/** Of messages to be sent, and of their bytes. */
const choices = new WeakMap<object, boolean>()
/** Received messages, and their bytes, that were compressed. */
const arrivals = new WeakSet<object>()
/** Whether there ever was one: programs that never compress pay nothing. */
let hasChoices = false
let hasArrivals = false

/**
 * Has a message sent compressed, however short it is: `yield compressed(order)` in a handler, `client.place(compressed(order))`,
 * or one of a stream of requests. Gives the message back. It needs a transport with `compression`, and at a server a client
 * that reads gzip; without, the message is sent as it is. Holds for that object until `uncompressed` says otherwise.
 */
export function compressed<T extends object>(message: T): T {
  return choose(message, true)
}

/**
 * Has a message sent as it is though its transport compresses others: what is compressed already, or holds a secret beside
 * what a stranger may write. Gives the message back.
 */
export function uncompressed<T extends object>(message: T): T {
  return choose(message, false)
}

/** Whether a message that a handler or a caller got came compressed. False for what is no object: a text, a number. */
export function cameCompressed(message: unknown): boolean {
  return hasArrivals && isObject(message) && arrivals.has(message)
}

/** What was chosen for a message, or for the bytes of one; undefined: nothing. */
export function compressionChoice(message: unknown): boolean | undefined {
  return hasChoices && isObject(message) ? choices.get(message) : undefined
}

/** The bytes of a message are sent as was chosen for it. Gives the bytes back. */
export function keepChoice(message: unknown, bytes: Uint8Array): Uint8Array {
  const choice = compressionChoice(message)
  return choice === undefined ? bytes : choose(bytes, choice)
}

/** For transports: the bytes of a message came compressed. */
export function noteCompressed(bytes: Uint8Array): void {
  hasArrivals = true
  arrivals.add(bytes)
}

/** A message came as its bytes did. Gives the message back. */
export function keepArrival(bytes: Uint8Array, message: unknown): unknown {
  if (hasArrivals && isObject(message) && arrivals.has(bytes)) arrivals.add(message)
  return message
}

function choose<T extends object>(message: T, choice: boolean): T {
  hasChoices = true
  choices.set(message, choice)
  return message
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
