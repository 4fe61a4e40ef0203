/** Texts of clients inside a line of the log: nothing in them can end a field or a line, or reach a terminal. */

/** What is written as it stands between double quotes, in either format. */
const unsafe = /[^\x20-\x7e]|["\\]/

/** As nginx's `escape=default`: `"`, `\`, control bytes and those from 0x7F on become `\xXX`. Empty becomes `-`. */
export function escapeCombined(text: string | undefined): string {
  if (text === undefined || text === '') return '-'
  return unsafe.test(text) ? text.replace(/[^\x20-\x7e]|["\\]/g, toHexEscape) : text
}

function toHexEscape(char: string): string {
  return `\\x${(char.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`
}

/** Inside a JSON string. Bytes from 0x7F on become `\u00XX`, so that a line is ASCII and valid whatever was sent. */
export function escapeJson(text: string): string {
  return unsafe.test(text) ? text.replace(/[^\x20-\x7e]|["\\]/g, toJsonEscape) : text
}

function toJsonEscape(char: string): string {
  if (char === '"' || char === '\\') return `\\${char}`
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
}
