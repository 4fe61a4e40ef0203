/** The `grpc-timeout` header, as clients write it (grpc/grpc doc/PROTOCOL-HTTP2.md, "Timeout"). */

/** Digits that the header may have: 8. A longer time is sent in seconds. */
const valueMax = 99_999_999

/**
 * Rounded up to two digits, so that calls with about the same time left have equal header blocks. The caller keeps the
 * exact deadline itself.
 */
export function grpcTimeoutText(timeoutMs: number): string {
  const whole = Math.max(1, Math.ceil(timeoutMs))
  const step = 10 ** Math.max(0, String(whole).length - 2)
  const rounded = Math.ceil(whole / step) * step
  return rounded <= valueMax ? `${rounded}m` : `${Math.min(valueMax, Math.ceil(rounded / 1_000))}S`
}
