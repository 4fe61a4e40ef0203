/** The grammar of an authority (RFC 3986 §3.2, RFC 9110 §4.2): `Host` and `:authority` alike. */

/**
 * Registered name or IPv4 address, or an IP literal in brackets; then maybe a port, of which the grammar lets the digits be missing
 * (`example.com:`, §3.2.3). Differs from RFC 3986 §3.2.2: nothing is
 * percent-encoded. `%65xample.com` is another spelling of `example.com` to those who decode it (§6.2.2.2), and would pass by
 * a route of that name here; no name of DNS needs it.
 */
const authorityPattern = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]+|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{0,5}))?$/
const portMax = 65_535
/** As DNS names go (RFC 1035 §2.3.4), and a port. */
const authorityBytesMax = 261

/** Whether `authority` may stand in `Host` of a request to http or https: never empty, without user information. */
export function isAuthority(authority: string): boolean {
  if (authority.length > authorityBytesMax) return false
  const match = authorityPattern.exec(authority)
  return match !== null && (match[1] === undefined || Number(match[1]) <= portMax)
}
