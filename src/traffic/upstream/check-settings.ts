/** What settings must be, where they come from a program and not from a file that was checked already. */
import { balancePolicies } from '../../core/balance/index.ts'
import type { ActiveCheckSettings, EndpointAddress, EndpointSource, UpstreamSettings } from './settings.ts'

/** Node's timers take no more; a little below 25 days. */
const delayMsMax = 2_147_483_647

/**
 * Returns when an upstream can work by the settings.
 *
 * @throws RangeError naming the upstream, the setting by its path, its value, and what it may be.
 */
export function checkUpstreamSettings(settings: UpstreamSettings): void {
  const { name, sources, balance, activeCheck, outlier, circuit, retryBudget } = settings
  if (typeof name !== 'string' || name === '') throw new RangeError('an upstream has no name: give settings.name')
  const check = new Check(name)
  for (const [at, source] of sources.entries()) checkSource(source, `sources[${at}]`, check)
  check.oneOf('balance.policy', balance.policy, balancePolicies)
  const { boundedLoadFactor } = balance
  if (boundedLoadFactor !== 0)
    check.number('balance.boundedLoadFactor', boundedLoadFactor, { min: 1, or: '0 for none' })
  check.duration('balance.slowStartMs', balance.slowStartMs, 0)
  check.number('balance.panicThresholdPercent', balance.panicThresholdPercent, { min: 0, max: 100 })
  check.count('balance.subsetSize', balance.subsetSize, 0)
  if (activeCheck !== undefined) checkActive(activeCheck, check)
  if (outlier !== undefined) {
    check.count('outlier.consecutiveFailures', outlier.consecutiveFailures, 0)
    check.duration('outlier.intervalMs', outlier.intervalMs, 1)
    check.duration('outlier.ejectionMs', outlier.ejectionMs, 1)
    check.duration('outlier.ejectionMsMax', outlier.ejectionMsMax, 1)
    check.number('outlier.ejectedPercentMax', outlier.ejectedPercentMax, { min: 0, max: 100 })
    check.number('outlier.successRateStdevFactor', outlier.successRateStdevFactor, { min: 0 })
    check.count('outlier.successRateEndpointsMin', outlier.successRateEndpointsMin, 0)
    check.count('outlier.successRateRequestsMin', outlier.successRateRequestsMin, 0)
    check.number('outlier.latencyFactor', outlier.latencyFactor, { min: 0 })
  }
  check.count('circuit.requestsMax', circuit.requestsMax, 1)
  check.count('circuit.connectionsMax', circuit.connectionsMax, 1)
  check.count('circuit.pendingMax', circuit.pendingMax, 0)
  check.count('circuit.consecutiveFailures', circuit.consecutiveFailures, 0)
  check.duration('circuit.openMs', circuit.openMs, 0)
  check.number('retryBudget.percent', retryBudget.percent, { min: 0 })
  check.number('retryBudget.minPerSecond', retryBudget.minPerSecond, { min: 0 })
  check.duration('connectTimeoutMs', settings.connectTimeoutMs, 1)
}

function checkActive(settings: ActiveCheckSettings, check: Check): void {
  check.duration('activeCheck.intervalMs', settings.intervalMs, 1)
  check.duration('activeCheck.timeoutMs', settings.timeoutMs, 1)
  check.count('activeCheck.healthyAfter', settings.healthyAfter, 1)
  check.count('activeCheck.unhealthyAfter', settings.unhealthyAfter, 1)
  check.oneOf('activeCheck.check.type', settings.check.type, ['tcp', 'http', 'grpc', 'script'])
  if (settings.check.type === 'script' && !(settings.check.command.length > 0))
    check.fail('activeCheck.check.command', settings.check.command, 'a program and its arguments')
}

function checkSource(source: EndpointSource, path: string, check: Check): void {
  switch (source.type) {
    case 'static':
      for (const [at, endpoint] of source.endpoints.entries())
        checkEndpoint(endpoint, `${path}.endpoints[${at}]`, check)
      return
    case 'dns':
      check.text(`${path}.name`, source.name)
      if (source.port !== undefined) check.port(`${path}.port`, source.port)
      check.duration(`${path}.refreshMs`, source.refreshMs, 1)
      return
    case 'file':
      return check.text(`${path}.path`, source.path)
    case 'registry':
      return check.text(`${path}.service`, source.service)
    default:
      check.fail(`${path}.type`, (source as { type: unknown }).type, 'static, dns, file or registry')
  }
}

function checkEndpoint({ id, host, port, weight, priority }: EndpointAddress, path: string, check: Check): void {
  check.text(`${path}.id`, id)
  check.text(`${path}.host`, host)
  check.port(`${path}.port`, port)
  if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
    check.fail(`${path}.weight`, weight, 'a finite number above 0')
  check.count(`${path}.priority`, priority, 0)
}

class Check {
  private readonly upstream: string

  constructor(upstream: string) {
    this.upstream = upstream
  }

  fail(path: string, value: unknown, wanted: string): never {
    const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
    throw new RangeError(`upstream ${this.upstream}: settings.${path} is ${text}: give ${wanted}`)
  }

  text(path: string, value: string): void {
    if (typeof value !== 'string' || value === '') this.fail(path, value, 'a text that is not empty')
  }

  oneOf(path: string, value: string, known: readonly string[]): void {
    if (!known.includes(value)) this.fail(path, value, `one of ${known.join(', ')}`)
  }

  number(
    path: string,
    value: number,
    { min, max, or }: { readonly min: number; readonly max?: number; readonly or?: string },
  ): void {
    if (value >= min && value <= (max ?? Number.MAX_VALUE)) return
    const range = max === undefined ? `a number of at least ${min}` : `a number from ${min} to ${max}`
    this.fail(path, value, or === undefined ? range : `${range}, or ${or}`)
  }

  count(path: string, value: number, min: number): void {
    if (!Number.isSafeInteger(value) || value < min) this.fail(path, value, `a whole number of at least ${min}`)
  }

  duration(path: string, value: number, min: number): void {
    if (!(value >= min && value <= delayMsMax)) this.fail(path, value, `milliseconds from ${min} to ${delayMsMax}`)
  }

  port(path: string, value: number): void {
    if (!Number.isInteger(value) || value < 1 || value > 65_535) this.fail(path, value, 'a port from 1 to 65535')
  }
}
