/** Bar charts of the policies, drawn by hand as SVG, legible on light and on dark pages. */

export interface Bar {
  readonly title: string
  readonly value: number
  /** What stands at its end. */
  readonly label: string
  /** A second value, drawn as a mark on the bar. */
  readonly mark?: number
}

export interface BarChart {
  readonly title: string
  readonly subtitle: string
  readonly bars: readonly Bar[]
  /** The value of the longest bar that fits. */
  readonly max: number
  /** A value at which a line is drawn, and what it says. */
  readonly reference?: { readonly value: number; readonly label: string }
}

const width = 720
const left = 190
const right = 70
const top = 74
const rowHeight = 24

const style = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-size: 16px; font-weight: 600 }
  .quiet { fill: #59636e }
  .bar { fill: #2f6fb3 }
  .mark { stroke: #1f2328; stroke-width: 2 }
  .line { stroke: #b4540a; stroke-dasharray: 4 3 }
  .line-label { fill: #b4540a }
  .ground { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #9aa4ae }
    .bar { fill: #5b9bd8 }
    .mark { stroke: #e6edf3 }
    .line { stroke: #f0a35e }
    .line-label { fill: #f0a35e }
    .ground { fill: #0d1117 }
  }
`

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/** The picture's text, with a line break at its end. */
export function drawBars({ title, subtitle, bars, max, reference }: BarChart): string {
  const height = top + bars.length * rowHeight + 14
  const x = (value: number): string => (left + (Math.min(value, max) / max) * (width - left - right)).toFixed(1)
  const rows = bars.flatMap(({ title: name, value, label, mark }, i) => {
    const y = top + i * rowHeight
    const length = (Number(x(value)) - left).toFixed(1)
    return [
      `<text x="${left - 10}" y="${y + 13}" text-anchor="end">${xmlText(name)}</text>`,
      `<rect class="bar" x="${left}" y="${y}" width="${length}" height="17" rx="2"/>`,
      ...(mark === undefined ? [] : [`<path class="mark" d="M${x(mark)} ${y - 2}v21"/>`]),
      `<text class="quiet" x="${Number(x(value)) + 7}" y="${y + 13}">${xmlText(label)}</text>`,
    ]
  })
  const line =
    reference === undefined
      ? []
      : [
          `<path class="line" d="M${x(reference.value)} ${top - 8}V${height - 8}"/>`,
          `<text class="line-label" x="${x(reference.value)}" y="${top - 12}" text-anchor="middle">${xmlText(reference.label)}</text>`,
        ]
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${xmlText(title)}</title>`,
    `<style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="title" x="16" y="24">${xmlText(title)}</text>`,
    `<text class="quiet" x="16" y="44">${xmlText(subtitle)}</text>`,
    ...rows,
    ...line,
    '</svg>',
    '',
  ].join('\n')
}
