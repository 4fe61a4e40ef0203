/** Settings with which tests of either HTTP version begin. */
import { upstreamSettingsDefault } from '../../../traffic/upstream/index.ts'
import type { HttpLimits, ProxyUpstreamConfig } from '../../config/index.ts'
import type { ClientInfo } from '../index.ts'

export const testLimits: HttpLimits = {
  headBytesMax: 32 << 10,
  headerFieldsMax: 100,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  requestsPerConnectionMax: 0,
  http2StreamsMax: 128,
}

export const testClient: ClientInfo = {
  address: '127.0.0.1',
  port: 1,
  localPort: 2,
  tls: undefined,
  listener: 'test',
}

export interface TestUpstreamParts extends Partial<ProxyUpstreamConfig> {
  readonly connectionsMax?: number
  readonly pendingMax?: number
}

/** An upstream as far as a pool reads it. */
export function testUpstream({ connectionsMax, pendingMax, ...parts }: TestUpstreamParts = {}): ProxyUpstreamConfig {
  const { circuit } = upstreamSettingsDefault
  return {
    settings: {
      ...upstreamSettingsDefault,
      name: 'test',
      sources: [],
      circuit: {
        ...circuit,
        connectionsMax: connectionsMax ?? circuit.connectionsMax,
        pendingMax: pendingMax ?? circuit.pendingMax,
      },
    },
    protocol: 'http1',
    tls: undefined,
    idleConnectionsMax: 8,
    idleTimeoutMs: 60_000,
    requestsPerConnectionMax: 0,
    ...parts,
  }
}
