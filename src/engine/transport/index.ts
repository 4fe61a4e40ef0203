export type { OutgoingMessage, PeerRefusal } from './frames.ts'
export { askToJoin, type JoinAnswer } from './join-question.ts'
export { type MessageDelivery, PeerTransport, type PeerTransportOptions } from './peer-transport.ts'
