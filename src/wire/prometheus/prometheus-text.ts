import type { HistogramSnapshot } from './histogram.ts'

export type Labels = Readonly<Record<string, string>>

/** One line of a family. */
export interface Sample {
  readonly labels: Labels
  readonly value: number
}

/** Writes Prometheus' text format 0.0.4. A family without samples is left out. */
export class PrometheusText {
  private readonly lines: string[] = []

  counter(name: string, help: string, value: number | undefined | readonly Sample[]): void {
    this.family(name, 'counter', help, value)
  }

  gauge(name: string, help: string, value: number | undefined | readonly Sample[]): void {
    this.family(name, 'gauge', help, value)
  }

  histogram(name: string, help: string, snapshot: HistogramSnapshot | undefined): void {
    if (snapshot !== undefined) this.histograms(name, help, [{ labels: {}, histogram: snapshot }])
  }

  /** One family of several histograms, told apart by their labels. */
  histograms(
    name: string,
    help: string,
    several: readonly { readonly labels: Labels; readonly histogram: HistogramSnapshot }[],
  ): void {
    if (several.length === 0) return
    this.head(name, 'histogram', help)
    for (const { labels, histogram } of several) {
      let total = 0
      histogram.counts.forEach((count, i) => {
        total += count
        const bound = histogram.bounds[i]
        this.sample(`${name}_bucket`, { ...labels, le: bound === undefined ? '+Inf' : number(bound) }, total)
      })
      this.sample(`${name}_sum`, labels, histogram.sum)
      this.sample(`${name}_count`, labels, total)
    }
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`
  }

  private family(name: string, type: string, help: string, value: number | undefined | readonly Sample[]): void {
    const samples = typeof value === 'number' ? [{ labels: {}, value }] : (value ?? [])
    if (samples.length === 0) return
    this.head(name, type, help)
    for (const sample of samples) this.sample(name, sample.labels, sample.value)
  }

  private head(name: string, type: string, help: string): void {
    this.lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
  }

  private sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
    this.lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${number(value)}`)
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function number(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
