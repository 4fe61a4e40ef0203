/** The name in a `Host` or `:authority`, as routes compare it: lower case, without port and without a trailing dot. */
export function hostName(authority: string): string {
  let end = authority.length
  if (authority.charCodeAt(0) === 0x5b) {
    const bracket = authority.indexOf(']')
    if (bracket !== -1) end = bracket + 1
  } else {
    const colon = authority.indexOf(':')
    if (colon !== -1) end = colon
  }
  // `shop.example.` is the same name in its absolute form (RFC 1034 §3.1).
  if (end > 1 && authority.charCodeAt(end - 1) === 0x2e) end--
  const name = end === authority.length ? authority : authority.slice(0, end)
  return name.toLowerCase()
}
