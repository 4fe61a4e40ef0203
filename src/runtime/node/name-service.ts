import { lookup, Resolver } from 'node:dns/promises'
import { NameError, type NameErrorCode, type NameService, type ServiceRecord } from '../index.ts'

export interface NodeNameServiceOptions {
  /**
   * Name servers to ask, as `address` or `address:port`. Default: addresses as the machine resolves them (its hosts file
   * and all), services at the name servers it is configured with.
   */
  readonly servers?: readonly string[] | undefined
  /** The first wait for a server's answer, in milliseconds; it grows with each try. Default 2000. */
  readonly timeoutMs?: number | undefined
  /** How often each server is asked. Default 2. */
  readonly triesMax?: number | undefined
}

const notFound = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NODATA', 'EAI_NONAME'])
const timedOut = new Set(['ETIMEOUT', 'ETIMEDOUT', 'EAI_AGAIN'])

/** The name service of this machine, or of the servers given. */
export class NodeNameService implements NameService {
  private readonly resolver: Resolver
  private readonly asksServers: boolean

  constructor(options: NodeNameServiceOptions = {}) {
    const { servers, timeoutMs = 2000, triesMax = 2 } = options
    this.resolver = new Resolver({ timeout: timeoutMs, tries: triesMax })
    this.asksServers = servers !== undefined
    if (servers !== undefined) this.resolver.setServers(servers)
  }

  async addresses(name: string): Promise<readonly string[]> {
    if (this.asksServers) return this.askBoth(name)
    try {
      const found = await lookup(name, { all: true })
      return [...new Set(found.map(({ address }) => address))]
    } catch (error) {
      throw nameError(name, 'an address', error)
    }
  }

  async services(name: string): Promise<readonly ServiceRecord[]> {
    try {
      const records = await this.resolver.resolveSrv(name)
      // RFC 2782: a single record with the root as its target says that the service is decidedly not there.
      const found = records.filter((record) => record.name !== '' && record.name !== '.')
      if (found.length === 0) throw new NameError('NOT_FOUND', `${name} is not offered: its SRV record says so`)
      return found.map(({ name: host, port, priority, weight }) => ({ host, port, priority, weight }))
    } catch (error) {
      throw nameError(name, 'an SRV record', error)
    }
  }

  /** A and AAAA. One of them missing is no failure; one that could not be asked is, since the answer would be half of it. */
  private async askBoth(name: string): Promise<readonly string[]> {
    const answers = await Promise.allSettled([this.resolver.resolve4(name), this.resolver.resolve6(name)])
    const found: string[] = []
    let missing: unknown
    for (const answer of answers) {
      if (answer.status === 'fulfilled') found.push(...answer.value)
      else if (codeOf(answer.reason) === 'NOT_FOUND') missing = answer.reason
      else throw nameError(name, 'an address', answer.reason)
    }
    if (found.length === 0) throw nameError(name, 'an address', missing)
    return found
  }
}

function codeOf(error: unknown): NameErrorCode {
  const code = (error as { code?: unknown } | undefined)?.code
  if (typeof code !== 'string') return 'FAILED'
  if (notFound.has(code)) return 'NOT_FOUND'
  return timedOut.has(code) ? 'TIMEOUT' : 'FAILED'
}

function nameError(name: string, what: string, cause: unknown): NameError {
  if (cause instanceof NameError) return cause
  const code = codeOf(cause)
  const detail = (cause as { code?: string } | undefined)?.code ?? String(cause)
  const message =
    code === 'NOT_FOUND'
      ? `${name} has not ${what}: check the name (${detail})`
      : `no name server told ${what} of ${name} (${detail})`
  return new NameError(code, message, { cause })
}
