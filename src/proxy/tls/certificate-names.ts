/** Which certificate a client gets, by the name it asks for: an exact name, then a wildcard, then the first certificate. */
export class CertificateNames {
  private readonly exact = new Map<string, number>()
  /** `*.suffix` by `.suffix`: one label in place of the star (RFC 6125 §6.4.3). */
  private readonly wildcards = new Map<string, number>()

  /** The names of each certificate, in order. What an earlier one is for is not taken by a later one. */
  constructor(names: readonly (readonly string[])[]) {
    for (const [index, ofOne] of names.entries()) {
      for (const name of ofOne) {
        const [table, key] = name.startsWith('*.') ? [this.wildcards, name.slice(1)] : [this.exact, name]
        if (!table.has(key)) table.set(key, index)
      }
    }
  }

  /** The certificate's index; 0 when none is for `serverName`, or it is empty. */
  choose(serverName: string): number {
    const name = serverName.toLowerCase()
    const exact = this.exact.get(name)
    if (exact !== undefined) return exact
    const dot = name.indexOf('.')
    return (dot > 0 ? this.wildcards.get(name.slice(dot)) : undefined) ?? 0
  }
}
