/** Any history file: finds out its format and gives our records. */
import type { HistoryRecord, OperationRecord } from '../history/index.ts'
import { type Edn, EdnError, readEdn } from './edn.ts'
import { type HistoryEvent, operationsOf } from './events.ts'
import { FormatError } from './format-error.ts'
import { readJepsenLog } from './jepsen-log.ts'
import { readJsonLines } from './json-lines.ts'
import { readKnossosEdn } from './knossos-edn.ts'
import { initialWrites, type ModelName, modelOf, translatorOf } from './models.ts'

export const formatNames = ['auto', 'jsonl', 'jepsen', 'edn'] as const
export type FormatName = (typeof formatNames)[number]

export interface JudgedHistory {
  readonly format: Exclude<FormatName, 'auto'>
  readonly model: ModelName | 'key-value'
  /**
   * The history, once for each initial state to try: it is linearizable if one of them is. Knossos histories do not tell
   * where registers begin; by custom that is nil or 0.
   */
  readonly attempts: readonly {
    readonly initial: string
    readonly records: readonly HistoryRecord[]
    /** How many of the records write the initial state, and are no operations of the file. */
    readonly initialWrites: number
  }[]
}

export interface ReadOptions {
  readonly format?: FormatName
  readonly model?: ModelName
  /** What registers begin with, as EDN: a value for all, or a map from registers to values. */
  readonly initial?: string
}

/** Throws a FormatError. */
export function readHistory(text: string, options: ReadOptions = {}): JudgedHistory {
  const format = options.format === undefined || options.format === 'auto' ? detect(text) : options.format
  if (format === 'jsonl') {
    const records = readJsonLines(text)
    if (records.length === 0) throw new FormatError('the file holds no records')
    return { format, model: 'key-value', attempts: [{ initial: 'nil', records, initialWrites: 0 }] }
  }
  const events = format === 'jepsen' ? readJepsenLog(text) : readKnossosEdn(text)
  if (!events.some((event) => event.type === 'invoke') && format === 'jepsen')
    throw new FormatError('the file holds no operations: no line like "INFO jepsen.util - 0 :invoke :read nil"')
  const model = options.model ?? modelOf(events)
  const operations = translate(events, model, format)
  return { format, model, attempts: attemptsOf(operations, model, format, options.initial) }
}

function translate(events: readonly HistoryEvent[], model: ModelName, format: 'jepsen' | 'edn'): OperationRecord[] {
  const isLog = format === 'jepsen'
  return operationsOf(events, translatorOf(model, { nilIsSeen: isLog, failedCasIsSeen: isLog }))
}

function attemptsOf(
  operations: readonly OperationRecord[],
  model: ModelName,
  format: 'jepsen' | 'edn',
  initial: string | undefined,
): JudgedHistory['attempts'] {
  const values = initial !== undefined ? [initial] : format === 'edn' && model !== 'mutex' ? ['nil', '0'] : ['nil']
  return values.map((text) => {
    const writes = initialWrites(operations, initialValue(text))
    return { initial: text, records: [...writes, ...operations], initialWrites: writes.length }
  })
}

function initialValue(text: string): Edn {
  try {
    const elements = readEdn(text)
    if (elements.length === 1) return elements[0]!.value
  } catch (error) {
    if (!(error instanceof EdnError)) throw error
  }
  throw new FormatError(`the initial value "${text}" is not one EDN value, like nil, 0 or {:x 0 :y 0}`)
}

function detect(text: string): Exclude<FormatName, 'auto'> {
  if (/^.*\bjepsen\.util\b/m.test(text) || /^\s*\d+\s+:invoke\s+:/m.test(text)) return 'jepsen'
  const first = text.split(/\r\n|\r|\n/).find((line) => line.replace(/^\uFEFF/, '').trim() !== '')
  if (first === undefined) throw new FormatError('the file is empty')
  if (/^\s*\{\s*"/.test(first.replace(/^\uFEFF/, ''))) return 'jsonl'
  if (/^\s*([[({;]|#)/.test(first.replace(/^\uFEFF/, ''))) return 'edn'
  throw new FormatError(
    `"${first.trim().slice(0, 60)}" is neither a JSON record, a Jepsen log line nor EDN; --format says which it is`,
    1,
  )
}
