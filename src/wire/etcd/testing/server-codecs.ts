/** The server's side of messages, for tests of the client's. */
export { encodeLeaseFields } from '../lease-codec.ts'
export { decodeWatchMessage, encodeWatchFields } from '../watch-codec.ts'
