/** Milliseconds in one unit of `grpc-timeout`. */
const msOfUnit: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/**
 * Reads a `grpc-timeout` value: 1 to 8 digits and a unit. Returns milliseconds, fractional; or the text with which
 * grpc-go refuses a malformed one.
 */
export function parseGrpcTimeout(text: string): number | string {
  if (text.length < 2) return `transport: timeout string is too short: ${JSON.stringify(text)}`
  if (text.length > 9) return `transport: timeout string is too long: ${JSON.stringify(text)}`
  const unitMs = msOfUnit[text[text.length - 1]!]
  if (unitMs === undefined) return `transport: timeout unit is not recognized: ${JSON.stringify(text)}`
  const digits = text.slice(0, -1)
  if (!/^[0-9]+$/.test(digits)) return `strconv.ParseInt: parsing ${JSON.stringify(digits)}: invalid syntax`
  return Number(digits) * unitMs
}
