import { grpcProbe, httpStatusProbe, type Probe, tcpProbe } from '../../client/registry/index.ts'
import type { Network } from '../../runtime/index.ts'
import { hostPort, type TrafficRuntime } from '../resolvers/index.ts'
import type { ActiveCheckKind, EndpointAddress } from '../upstream/index.ts'

/** The probe of an endpoint. `network` is what its connections are made over: TLS where the upstream is reached so. */
export function probeOf(
  check: ActiveCheckKind,
  { host, port }: EndpointAddress,
  outside: TrafficRuntime,
  network: Network,
): Probe {
  const reached = { ...outside, network }
  const address = { host, port }
  switch (check.type) {
    case 'tcp':
      return tcpProbe(reached, address)
    case 'grpc':
      return grpcProbe(reached, address, check.service)
    case 'http': {
      const { path, statusMin, statusMax } = check
      const named = check.host === '' ? hostPort(host, port) : check.host
      return httpStatusProbe(reached, { address, target: path, host: named, statusMin, statusMax })
    }
    case 'script':
      return scriptProbe(check.command, host, port, outside)
  }
}

function scriptProbe(command: readonly string[], host: string, port: number, { commands }: TrafficRuntime): Probe {
  return async (signal) => {
    if (commands === undefined) return 'this process runs no programs: use another kind of check here'
    const { status, detail } = await commands.run([...command, host, String(port)], signal)
    if (status === 0) return undefined
    const said = detail === '' ? '' : `: ${detail}`
    return status === undefined
      ? `${command[0]} did not run to its end${said}`
      : `${command[0]} ended with ${status}${said}`
  }
}
