import type { Logger, Network } from '../../runtime/index.ts'
import { createTlsNetwork, type TlsOptions } from '../../runtime/node/index.ts'
import { RpcError } from '../service/index.ts'

/** A network of TLS connections. Throws `INVALID_ARGUMENT` for certificates and keys that cannot be used. */
export function tlsNetwork(options: TlsOptions, logger: Logger): Network {
  try {
    return createTlsNetwork(options, logger)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `the certificate or key given as \`tls\` cannot be used: ${why}; give PEM, and a key that fits its certificate`
    throw new RpcError('INVALID_ARGUMENT', message, { cause })
  }
}
