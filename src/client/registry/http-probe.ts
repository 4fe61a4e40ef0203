import { binaryString, utf8Bytes } from '../../base/index.ts'
import type { Address, Network } from '../../runtime/index.ts'
import { SynodError } from '../errors.ts'
import type { Probe } from './probe-loop.ts'

/** A status line that is longer is none. */
const statusLineBytesMax = 1024

/** What to ask a server for, and what it is well with. */
export interface HttpStatusProbe {
  readonly address: Address
  /** The path and query asked for. */
  readonly target: string
  /** The value of the `Host` field. */
  readonly host: string
  readonly statusMin: number
  readonly statusMax: number
}

/**
 * Passes when a GET of `url` is answered with a status of 200 to 399. Only the status line is read. Throws
 * `INVALID_ARGUMENT` for what is no `http:` address.
 */
export function httpProbe(outside: { readonly network: Network }, url: string): Probe {
  const { protocol, hostname, port, pathname, search, host } = parsed(url)
  if (protocol !== 'http:')
    throw new SynodError(
      'INVALID_ARGUMENT',
      `the health check's address ${url} is not http:; probe a plain port, or tcp`,
    )
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 80 : Number(port) }
  return httpStatusProbe(outside, { address, target: `${pathname}${search}`, host, statusMin: 200, statusMax: 399 })
}

/** As {@link httpProbe}, over any network (TLS, say), with the statuses that pass. `target` and `host` as they are sent. */
export function httpStatusProbe({ network }: { readonly network: Network }, what: HttpStatusProbe): Probe {
  const request = utf8Bytes(
    `GET ${what.target} HTTP/1.1\r\nHost: ${what.host}\r\nUser-Agent: synod-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
  )
  return (signal) =>
    new Promise((resolve) => {
      let received = ''
      const connection = network.connect(what.address)
      const finish = (failure: string | undefined): void => {
        resolve(failure)
        connection.destroy()
      }
      signal.addEventListener('abort', () => connection.destroy(), { once: true })
      connection.setHandler({
        onOpen: () => void connection.write(request),
        onData(bytes) {
          received += binaryString(bytes)
          if (received.includes('\r\n')) finish(failureOf(received.slice(0, received.indexOf('\r\n')), what))
          else if (received.length > statusLineBytesMax) finish('it was not answered in HTTP/1.1')
        },
        onEnd: () => finish('the connection was ended before an answer came'),
        onClose: (reason) =>
          resolve(`the connection was ${reason} before an answer came${closeDetailOf(connection.closeDetail)}`),
      })
    })
}

/** What TLS or the operating system had to say, as the end of a sentence. */
export function closeDetailOf(detail: string | undefined): string {
  return detail === undefined || detail === '' ? '' : `: ${detail}`
}

function failureOf(statusLine: string, { statusMin, statusMax }: HttpStatusProbe): string | undefined {
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(statusLine)?.[1]
  if (status === undefined) return 'it was not answered in HTTP/1.1'
  return Number(status) >= statusMin && Number(status) <= statusMax
    ? undefined
    : `it was answered with status ${status}`
}

function parsed(url: string): URL {
  try {
    return new URL(url)
  } catch (cause) {
    throw new SynodError('INVALID_ARGUMENT', `the health check's address ${JSON.stringify(url)} is no URL`, { cause })
  }
}
