export type { OutgoingMessage, PeerRefusal } from './frames.ts'
export { PeerTransport, type PeerTransportOptions } from './peer-transport.ts'
