/** Peer URLs of one member, and the length of one. No honest member comes near. */
export const peerUrlsMax = 64
export const peerUrlLengthMax = 2048

/**
 * The peer URLs of a member, sorted and in the form in which settings have them, so that they compare as text; undefined
 * when there is none or one is wrong. By etcd's `types.NewURLs`: scheme, host and port, and nothing more.
 *
 * Differs: etcd takes https and unix sockets too, and an empty host; here a member behind one could not be reached. etcd
 * keeps a host's capitals.
 */
export function normalizePeerUrls(urls: readonly string[]): readonly string[] | undefined {
  if (urls.length === 0 || urls.length > peerUrlsMax) return undefined
  const normal: string[] = []
  for (const text of urls) {
    const url = normalizePeerUrl(text.trim())
    if (url === undefined) return undefined
    normal.push(url)
  }
  return normal.sort()
}

const shape = /^http:\/\/(?<host>\[[0-9a-f:.]+\]|[^[\]:/?#@\s\\]+):(?<port>\d{1,5})$/i

function normalizePeerUrl(text: string): string | undefined {
  const port = Number(shape.exec(text)?.groups?.['port'])
  if (!(port > 0) || text.length > peerUrlLengthMax || !URL.canParse(text)) return undefined
  return `http://${new URL(text).hostname}:${port}`
}
