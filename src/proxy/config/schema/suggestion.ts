/** "Did you mean": the nearest word to a mistyped one, or to one from another proxy's configuration. */

/** What others call it, without `_` and `-`, and what it is called here. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  backend: ['to'],
  backends: ['upstreams', 'endpoints'],
  bind: ['address'],
  certificate: ['cert'],
  clusters: ['upstreams'],
  frontends: ['listeners'],
  healthcheck: ['check'],
  hostname: ['host'],
  lb: ['balance'],
  listen: ['address'],
  location: ['path'],
  locations: ['routes'],
  pass: ['to'],
  port: ['address'],
  proxypass: ['to'],
  return: ['respond'],
  rules: ['routes'],
  server: ['listeners', 'endpoints'],
  servername: ['host'],
  servers: ['listeners', 'endpoints'],
  services: ['upstreams'],
  ssl: ['tls'],
  strategy: ['balance'],
  target: ['to'],
  targets: ['endpoints'],
  upstream: ['to'],
  url: ['path', 'address'],
}

/** `; did you mean …?` when one of `words` is near, else empty. */
export function suggestion(word: string, words: readonly string[]): string {
  if (word.length > 40) return ''
  const plain = word.toLowerCase().replaceAll('_', '-')
  const other = otherNames[plain.replaceAll('-', '')]?.find((name) => words.includes(name))
  const begun = plain.length > 2 ? words.find((candidate) => candidate.startsWith(plain)) : undefined
  const sure = other ?? begun
  if (sure !== undefined) return `; did you mean ${sure}?`
  let best: string | undefined
  let bestDistance = Math.max(word.length > 2 ? 1 : 0, Math.floor(word.length / 3)) + 1
  for (const candidate of words) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best === undefined ? '' : `; did you mean ${best}?`
}

/** Optimal string alignment: Levenshtein's distance, and two neighbours swapped count as one. Stops at `bound`. */
function editDistance(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1)
      row.push(cost)
    }
    before = last
    last = row
  }
  return last[b.length]!
}
