/**
 * Jepsen's log: lines like `INFO  jepsen.util - 3 :invoke :read nil` (blanks or tabs between), or with
 * `jepsen.util: 3 …` behind a time and a thread. Other lines are passed over.
 */
import { type Edn, EdnError, readEdn } from './edn.ts'
import type { HistoryEvent } from './events.ts'
import { FormatError } from './format-error.ts'

const operationLine =
  /^(?:.*\bjepsen\.util\s*(?:-|:)\s*)?(\d+|:[\w-]+)\s+:(invoke|ok|fail|info)\s+(:[^\s]+)(?:\s+(.*))?$/

export function readJepsenLog(text: string): HistoryEvent[] {
  const events: HistoryEvent[] = []
  text.split(/\r\n|\r|\n/).forEach((content, index) => {
    const match = operationLine.exec(content.trim())
    if (match === null) {
      if (/\bjepsen\.util\b.*\s:(invoke|ok|fail)\s/.test(content))
        throw new FormatError(`"${content.trim().slice(0, 80)}" is no operation`, index + 1)
      return
    }
    const [, process, type, f, rest = ''] = match
    const values = valuesOf(rest, index + 1)
    events.push({
      process: process!,
      type: type as HistoryEvent['type'],
      f: f!.slice(1),
      value: values[0] ?? { kind: 'nil' },
      key: undefined,
      error: type === 'invoke' || type === 'ok' ? undefined : values.find(isKeyword)?.name,
      line: index + 1,
    })
  })
  return events
}

function isKeyword(value: Edn): value is Extract<Edn, { kind: 'keyword' }> {
  return value.kind === 'keyword'
}

function valuesOf(text: string, line: number): Edn[] {
  try {
    return readEdn(text).map(({ value }) => value)
  } catch (error) {
    if (error instanceof EdnError) throw new FormatError(error.message, line)
    throw error
  }
}
