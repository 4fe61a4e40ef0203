import type { Address } from '../../runtime/index.ts'
import type { HttpUrl } from './urls.ts'

/**
 * `urls` with the port that the system chose where they say 0. `addresses` are where each of `listenUrls` is listened at. A URL to
 * advertise that is none of those takes the first port that was chosen.
 */
export function boundUrls(
  urls: readonly HttpUrl[],
  listenUrls: readonly HttpUrl[],
  addresses: readonly Address[],
): readonly HttpUrl[] {
  return urls.map((url) => {
    if (url.port !== 0) return url
    const same = listenUrls.findIndex(({ text }) => text === url.text)
    const at = same >= 0 ? same : listenUrls.findIndex(({ port }) => port === 0)
    const port = addresses[at]?.port
    return port === undefined ? url : { ...url, port, text: `${url.text.slice(0, -1)}${port}` }
  })
}
