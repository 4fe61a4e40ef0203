export { Http1Server, type Http1ServerInit } from './http1-server.ts'
export type { Http1BodyStream, Http1Handler, Http1Request, Http1Response, Http1Routes } from './messages.ts'
export { type Http1Options, http1OptionsDefault } from './options.ts'
export { type PortOptions, PortServer, type PortServerInit, portOptionsDefault } from './port-server.ts'
