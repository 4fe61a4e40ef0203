/** Our own histories: one record a line, as JSON. */
import type { HistoryRecord } from '../history/index.ts'
import { FormatError } from './format-error.ts'

type Kind = 'string' | 'number' | 'object' | 'boolean' | 'array'

/** What a record of each type must have; what else it has is its own affair. */
const fieldsOf: Readonly<Record<HistoryRecord['type'], Readonly<Record<string, Kind>>>> = {
  start: { revision: 'number' },
  unrecorded: { key: 'string', end: 'string' },
  operation: { client: 'string', invokedMs: 'number', outcome: 'string', input: 'object' },
  watch: { watcher: 'string', sequence: 'number', atMs: 'number', what: 'object' },
  lease: { lease: 'string', sequence: 'number', what: 'object' },
  lock: { lock: 'string', holder: 'string', token: 'number', fromMs: 'number' },
  fence: { resource: 'string', sequence: 'number', token: 'number', accepted: 'boolean' },
  counter: { counter: 'string', client: 'string', op: 'string', invokedMs: 'number', outcome: 'string' },
  published: { subject: 'string', publisher: 'string', version: 'number', invokedMs: 'number', outcome: 'string' },
  reading: {
    subject: 'string',
    reader: 'string',
    sequence: 'number',
    atMs: 'number',
    asOfMs: 'number',
    versions: 'object',
  },
  job: { queue: 'string', job: 'string', what: 'object' },
  queueLeft: { queue: 'string', jobs: 'array' },
  ids: { name: 'string', client: 'string', atMs: 'number', ids: 'array' },
  leader: { term: 'number', node: 'string', atMs: 'number' },
  applied: { node: 'string', index: 'number', term: 'number', hash: 'string' },
  stateHash: { node: 'string', at: 'number', hash: 'string' },
}

const fieldsOfInput: Readonly<Record<string, Readonly<Record<string, Kind>>>> = {
  get: { key: 'string' },
  range: { key: 'string', end: 'string' },
  put: { key: 'string', value: 'string' },
  delete: { key: 'string' },
  cas: { key: 'string', value: 'string' },
  txn: { compares: 'array', success: 'array', failure: 'array' },
}

/** Blank lines are passed over. Throws a FormatError that names the line. */
export function readJsonLines(text: string): HistoryRecord[] {
  const records: HistoryRecord[] = []
  text.split('\n').forEach((content, index) => {
    const line = content.replace(/^\uFEFF/, '').trim()
    if (line === '') return
    records.push(recordOf(line, index + 1))
  })
  return records
}

/** The lines of a file that `readJsonLines` reads. */
export function writeJsonLines(records: Iterable<HistoryRecord>): string {
  let text = ''
  for (const record of records) text += `${JSON.stringify(record)}\n`
  return text
}

function recordOf(text: string, line: number): HistoryRecord {
  let record: unknown
  try {
    record = JSON.parse(text)
  } catch (error) {
    throw new FormatError(`it is no JSON: ${(error as Error).message}`, line)
  }
  const type = kindOf(record) === 'object' ? (record as Record<string, unknown>)['type'] : undefined
  const fields = typeof type === 'string' ? fieldsOf[type as HistoryRecord['type']] : undefined
  if (fields === undefined) throw new FormatError(`"type" must be one of ${Object.keys(fieldsOf).join(', ')}`, line)
  demand(record as Record<string, unknown>, fields, `a record of type ${type}`, line)
  if (type === 'operation') checkOperation(record as Record<string, unknown>, line)
  return record as HistoryRecord
}

function checkOperation(record: Record<string, unknown>, line: number): void {
  if (!['ok', 'failed', 'unknown'].includes(record['outcome'] as string))
    throw new FormatError('"outcome" must be ok, failed or unknown', line)
  const input = record['input'] as Record<string, unknown>
  const fields = fieldsOfInput[String(input['op'])]
  if (fields === undefined)
    throw new FormatError(`"input.op" must be one of ${Object.keys(fieldsOfInput).join(', ')}`, line)
  demand(input, fields, `the input of a ${input['op']}`, line)
  if (input['op'] === 'cas' && input['expected'] !== null && typeof input['expected'] !== 'string')
    throw new FormatError('"input.expected" must be a string or null', line)
}

function demand(
  record: Record<string, unknown>,
  fields: Readonly<Record<string, Kind>>,
  what: string,
  line: number,
): void {
  for (const [name, kind] of Object.entries(fields))
    if (kindOf(record[name]) !== kind) throw new FormatError(`${what} needs "${name}", ${article(kind)}`, line)
}

function article(kind: Kind): string {
  return /^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'array' : typeof value
}
