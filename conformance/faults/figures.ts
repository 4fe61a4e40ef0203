// One line of figures for a test's output, and the arithmetic for it.

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor((sorted.length - 1) / 2)]!
}

export function spread(values: readonly number[], unit = 'ms'): string {
  const worst = Math.max(...values)
  return `median ${median(values).toFixed(0)} ${unit}, worst ${worst.toFixed(0)} ${unit} of ${values.length}`
}

/** Printed where it is seen beside the test's result. */
export function figure(text: string): void {
  console.log(`figures: ${text}`)
}
