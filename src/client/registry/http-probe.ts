import { binaryString, utf8Bytes } from '../../base/index.ts'
import type { ClientRuntime } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import type { Probe } from './probe-loop.ts'

/** A status line that is longer is none. */
const statusLineBytesMax = 1024

/**
 * Passes when a GET of `url` is answered with a status of 200 to 399. Only the status line is read. Throws
 * `INVALID_ARGUMENT` for what is no `http:` address.
 */
export function httpProbe({ network }: ClientRuntime, url: string): Probe {
  const { protocol, hostname, port, pathname, search, host } = parsed(url)
  if (protocol !== 'http:')
    throw new SynodError(
      'INVALID_ARGUMENT',
      `the health check's address ${url} is not http:; probe a plain port, or tcp`,
    )
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 80 : Number(port) }
  const request = utf8Bytes(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: synod-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
  )
  return (signal) =>
    new Promise((resolve) => {
      let received = ''
      const connection = network.connect(address)
      const finish = (failure: string | undefined): void => {
        resolve(failure)
        connection.destroy()
      }
      signal.addEventListener('abort', () => connection.destroy(), { once: true })
      connection.setHandler({
        onOpen: () => void connection.write(request),
        onData(bytes) {
          received += binaryString(bytes)
          if (received.includes('\r\n')) finish(failureOf(received.slice(0, received.indexOf('\r\n'))))
          else if (received.length > statusLineBytesMax) finish('it was not answered in HTTP/1.1')
        },
        onEnd: () => finish('the connection was ended before an answer came'),
        onClose: (reason) => resolve(`the connection was ${reason} before an answer came`),
      })
    })
}

function failureOf(statusLine: string): string | undefined {
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(statusLine)?.[1]
  if (status === undefined) return 'it was not answered in HTTP/1.1'
  return Number(status) >= 200 && Number(status) < 400 ? undefined : `it was answered with status ${status}`
}

function parsed(url: string): URL {
  try {
    return new URL(url)
  } catch (cause) {
    throw new SynodError('INVALID_ARGUMENT', `the health check's address ${JSON.stringify(url)} is no URL`, { cause })
  }
}
