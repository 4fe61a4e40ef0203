/**
 * Operations as a picture in one HTML file without anything from outside: a lane for each client, a bar for each operation
 * from its invocation to its return, details under the pointer.
 *
 * Time is drawn by order, not by length: every invocation and return has a column of its own, so that what overlaps can be
 * seen whatever the scale.
 */
import type { OperationRecord } from '../history/index.ts'

export interface TimelineContent {
  readonly title: string
  readonly explanation: string
  readonly operations: readonly OperationRecord[]
  /** Drawn in the colour of what is wrong. */
  readonly highlighted: ReadonlySet<OperationRecord>
  readonly describe: (record: OperationRecord) => string
}

const columnWidth = 46
const laneHeight = 44
const barHeight = 26
const labelWidth = 110
const top = 30

export function renderTimeline(content: TimelineContent): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(content.title)}</title>
<style>
body { font: 14px/1.5 system-ui, sans-serif; margin: 2em; color: #1d2129; background: #fff; }
p { max-width: 60em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; border: 1px solid #d5d9e0; }
text { font: 12px ui-monospace, monospace; fill: #1d2129; }
.lane { stroke: #e6e9ee; }
.ok { fill: #cfe3ff; stroke: #5b8bd0; }
.unknown { fill: #eee; stroke: #888; stroke-dasharray: 4 3; }
.wrong { fill: #ffd0cc; stroke: #c4281c; stroke-width: 2; }
table { border-collapse: collapse; margin-top: 1.5em; }
td, th { text-align: left; padding: 2px 12px 2px 0; vertical-align: top; overflow-wrap: anywhere; }
tr.wrong td { color: #c4281c; }
</style>
</head>
<body>
<h1>${escapeHtml(content.title)}</h1>
<p>${escapeHtml(content.explanation)}</p>
<div class="scroll">
${picture(content)}
</div>
<p>Columns are in the order of time, not to scale. Red: operations that fit no order. Dashed: the outcome is unknown, so the
operation may take effect at any later time.</p>
${table(content)}
</body>
</html>
`
}

function picture({ operations, highlighted, describe }: TimelineContent): string {
  const clients = [...new Set(operations.map((record) => record.client))].sort((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  )
  const columns = columnsOf(operations)
  const width = labelWidth + (columns.size + 1) * columnWidth
  const height = top + clients.length * laneHeight + 10
  const lanes = clients.map((client, lane) => {
    const y = top + lane * laneHeight + barHeight / 2
    return `<line class="lane" x1="0" x2="${width}" y1="${y}" y2="${y}"/><text x="6" y="${y + 4}">${escapeHtml(client)}</text>`
  })
  const bars = operations.map((record) => {
    const from = labelWidth + columns.get(`invoke ${record.invokedMs}`)! * columnWidth
    const end = endOf(record)
    const to = end === undefined ? width - 4 : labelWidth + columns.get(`return ${end}`)! * columnWidth
    const y = top + clients.indexOf(record.client) * laneHeight
    const kind = highlighted.has(record) ? 'wrong' : record.outcome === 'ok' ? 'ok' : 'unknown'
    const barWidth = Math.max(12, to - from)
    const text = describe(record)
    const fitting = Math.floor((barWidth - 10) / 7.3)
    const label = text.length <= fitting ? text : `${text.slice(0, Math.max(0, fitting - 1))}…`
    return `<g><title>${escapeHtml(detailsOf(record, text))}</title><rect class="${kind}" x="${from}" y="${y}" width="${barWidth}" height="${barHeight}" rx="4"/><text x="${from + 5}" y="${y + 17}">${escapeHtml(label)}</text></g>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" role="img">
${[...lanes, ...bars].join('\n')}
</svg>`
}

/** Each moment's column; at one moment invocations stand before returns. */
function columnsOf(operations: readonly OperationRecord[]): Map<string, number> {
  const moments = operations.flatMap((record) => {
    const end = endOf(record)
    return [{ atMs: record.invokedMs, kind: 'invoke' }, ...(end === undefined ? [] : [{ atMs: end, kind: 'return' }])]
  })
  moments.sort((a, b) => a.atMs - b.atMs || (a.kind < b.kind ? -1 : 1))
  const names = new Set(moments.map(({ atMs, kind }) => `${kind} ${atMs}`))
  return new Map([...names].map((name, column) => [name, column]))
}

function endOf(record: OperationRecord): number | undefined {
  return record.outcome === 'unknown' ? undefined : record.returnedMs
}

function detailsOf(record: OperationRecord, text: string): string {
  const node = record.node === undefined ? '' : `, at ${record.node}`
  const end = endOf(record)
  return `${text}\nclient ${record.client}${node}\nfrom ${record.invokedMs} ${end === undefined ? 'on' : `to ${end}`}`
}

function table({ operations, highlighted, describe }: TimelineContent): string {
  const rows = [...operations]
    .sort((a, b) => a.invokedMs - b.invokedMs)
    .map((record) => {
      const cells = [record.client, String(record.invokedMs), String(endOf(record) ?? ''), describe(record)]
      const mark = highlighted.has(record) ? ' class="wrong"' : ''
      return `<tr${mark}>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`
    })
  return `<table>\n<tr><th>client</th><th>invoked</th><th>returned</th><th>operation</th></tr>\n${rows.join('\n')}\n</table>`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
