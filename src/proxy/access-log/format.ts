/** The two formats. Both split a line into parts that are the same for the same head and client, and the rest. */
import { commonLogTime, isoSeconds, TextOfSecond } from './civil-time.ts'
import { escapeCombined, escapeJson } from './escape.ts'
import type { AccessRecord } from './record.ts'

/** Makes the line of a record that is logged at `wallMs`, line feed included; ASCII only. */
export type LineFormat = (record: AccessRecord, wallMs: number) => string

const versionTexts = { '1.0': 'HTTP/1.0', '1.1': 'HTTP/1.1', '2': 'HTTP/2.0' } as const

/** nginx's `combined`: `client - - [time] "request line" status bytes "referer" "user agent"`. */
export function combinedFormat(): LineFormat {
  const times = new TextOfSecond(commonLogTime)
  return (record, wallMs) => {
    const cache = record.logCache
    if (cache.front === undefined) {
      const { head } = record
      cache.front = `${escapeCombined(record.clientAddress)} - - [`
      cache.middle = `] "${head === undefined ? '' : `${escapeCombined(head.method)} ${escapeCombined(head.target)} ${versionTexts[head.version]}`}" `
      cache.back = ` "${escapeCombined(head?.get('referer'))}" "${escapeCombined(head?.get('user-agent'))}"\n`
    }
    return `${cache.front}${times.at(wallMs)}${cache.middle}${statusText(record.status)} ${record.bodyBytesSent}${cache.back}`
  }
}

/** One JSON object a line. Times are in milliseconds with three digits; absent texts are empty. */
export function jsonFormat(): LineFormat {
  const times = new TextOfSecond(isoSeconds)
  return (record, wallMs) => {
    const cache = record.logCache
    cache.middle ??= jsonMiddle(record)
    const ms = Math.floor(wallMs % 1_000)
    const id = record.requestId === '' ? '' : escapeJson(record.requestId)
    const error = record.error === '' ? '' : escapeJson(record.error)
    const route = record.routeName === '' ? '' : escapeJson(record.routeName)
    return (
      `{"time":"${times.at(wallMs)}.${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z",${cache.middle}` +
      `"status":${record.status},"bytes":${record.bodyBytesSent},"durationMs":${millis(record.durationMs)},` +
      `"upstream":"${record.upstreamAddress}","upstreamDurationMs":${record.upstreamDurationMs < 0 ? 'null' : millis(record.upstreamDurationMs)},` +
      `"attempts":${record.attempts},"route":"${route}","requestId":"${id}","failure":"${record.failure}","error":"${error}"}\n`
    )
  }
}

function jsonMiddle(record: AccessRecord): string {
  const { head } = record
  const text = (name: string, value: string | undefined) => `"${name}":"${escapeJson(value ?? '')}",`
  return (
    text('client', record.clientAddress) +
    text('method', head?.method) +
    text('target', head?.target) +
    text('protocol', head === undefined ? '' : versionTexts[head.version]) +
    text('host', head?.authority) +
    text('referer', head?.get('referer')) +
    text('userAgent', head?.get('user-agent'))
  )
}

function millis(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/** nginx writes 000 where nothing was sent. */
function statusText(status: number): string {
  return status === 0 ? '000' : String(status)
}
