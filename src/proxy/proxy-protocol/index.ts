export { encodeProxyHeader, type ProxyHeaderVersion } from './encode.ts'
export { type ProxyHeaderResult, proxyHeaderBytesMax, readProxyHeader } from './read.ts'
