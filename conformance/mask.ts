// Removes from a client's output what rightly differs between two clusters: addresses, ids, raft's own numbers,
// sizes, hashes and timings. Revisions, versions of keys, counts and texts stay.

/** What is known of one cluster, to mask its own names exactly. */
export interface MaskContext {
  /** Exact texts, replaced first, longest first. */
  readonly exact: ReadonlyMap<string, string>
}

const jsonNumbers =
  /"(cluster_id|member_id|raft_term|raftTerm|raftIndex|raftAppliedIndex|leader|dbSize|dbSizeInUse|dbSizeQuota|hash|header_?[Ii]d)":\s*"?[0-9]+"?/g
const fieldNumbers =
  /"(ClusterID|MemberID|RaftTerm|RaftIndex|RaftAppliedIndex|Leader|DBSize|DBSizeInUse|DBSizeQuota|Hash|HashRevision)" ?: ?[0-9]+/g

const everywhere: readonly (readonly [RegExp, string])[] = [
  [jsonNumbers, '"$1":"<$1>"'],
  [fieldNumbers, '"$1" : <$1>'],
  [/"leader":<member \w+>/g, '"leader":"<leader>"'],
  [/\blease [0-9a-f]{12,16} granted/g, 'lease <id> granted'],
  // A panic of the client itself.
  [/\b0x[0-9a-f]{4,}\b/g, '<pointer>'],
  // The client's own structured log lines.
  [/"ts":"[^"]*"/g, '"ts":"<time>"'],
  [/etcd-endpoints:\/\/0x[0-9a-f]+/g, 'etcd-endpoints://<pointer>'],
  [/endpoint:\/\/client-[0-9a-f-]+/g, 'endpoint://client-<id>'],
  [/LocalAddr: '[^']*'/g, "LocalAddr: '<local>'"],
  [/\btook = \S+/g, 'took = <time>'],
  [/\btook \S+/g, 'took <time>'],
  [/remaining\(\d+s\)/g, 'remaining(<s>)'],
]

/** Masks one output. */
export function mask(text: string, context: MaskContext, more: readonly (readonly [RegExp, string])[] = []): string {
  let masked = text
  const exact = [...context.exact].sort((a, b) => b[0].length - a[0].length)
  for (const [value, label] of exact) masked = replaceWhole(masked, value, label)
  for (const [pattern, label] of [...everywhere, ...more]) masked = masked.replace(pattern, label)
  // Table borders and padding are as wide as what was masked.
  masked = masked.replace(/-{4,}/g, '----')
  if (/^\+-/m.test(masked)) masked = masked.replace(/ {2,}/g, ' ')
  return masked
}

/** Replaces a value where it is not part of a longer word or number. */
function replaceWhole(text: string, value: string, label: string): string {
  const escaped = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return text.replace(new RegExp(`(?<![0-9A-Za-z])${escaped}(?![0-9A-Za-z])`, 'g'), label)
}

/** Names each distinct value in order of appearance, so that equality between values is still compared. */
export function labelDistinct(text: string, pattern: RegExp, label: string): string {
  const seen = new Map<string, string>()
  return text.replace(pattern, (value) => {
    if (!seen.has(value)) seen.set(value, `<${label}${seen.size + 1}>`)
    return seen.get(value)!
  })
}

/** Compares without regard to order: lines sorted; in a JSON answer, the arrays of its top level. */
export function withoutOrder(text: string): string {
  return text
    .split('\n')
    .map((line) => (/^[{[]/.test(line) ? sortArrays(line) : line))
    .sort()
    .join('\n')
}

function sortArrays(line: string): string {
  try {
    // Masked ids stand where numbers stood: as strings, the line is JSON again.
    const parsed = JSON.parse(line.replace(/(?<=[:[,])<[^>"]+>/g, '"$&"')) as Record<string, unknown>
    if (Array.isArray(parsed)) return JSON.stringify(parsed.map((item) => JSON.stringify(item)).sort())
    for (const [key, value] of Object.entries(parsed)) {
      if (Array.isArray(value)) parsed[key] = value.map((item) => JSON.stringify(item)).sort()
    }
    return JSON.stringify(parsed)
  } catch {
    return line
  }
}
