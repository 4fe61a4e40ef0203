/** synod check: judges a recorded history. */
import { readFileSync, writeFileSync } from 'node:fs'
import {
  allCheckers,
  checkHistory,
  checkLinearizability,
  counted,
  describeOperation,
  explainDeadEnd,
  type LinearizabilityResult,
  linearizability,
} from '../verify/checkers/index.ts'
import {
  escapeControls,
  FormatError,
  type FormatName,
  formatNames,
  type JudgedHistory,
  type ModelName,
  modelNames,
  readHistory,
  renderTimeline,
} from '../verify/formats/index.ts'
import type { HistoryRecord, OperationRecord, Verdict } from '../verify/history/index.ts'
import { type ParsedArguments, parseArguments, wholeNumber } from './arguments.ts'
import { readStandardInput } from './input.ts'
import { CommandError, printJson, printLine } from './output.ts'

/** 2 is taken by "could not tell": a wrong command line, or a file that cannot be read, ends with sysexits' EX_USAGE. */
const exitUnusable = 64
const exitCodes = { valid: 0, invalid: 1, unknown: 2 } as const

/** What is shown of a judgement, whatever the format. */
interface Report {
  readonly verdict: Verdict['verdict']
  readonly checked: number
  /** One line for each property that was judged. */
  readonly properties: readonly JudgedProperty[]
  readonly explanation: string
  readonly details: readonly string[]
  readonly evidence: readonly HistoryRecord[]
  readonly highlighted: readonly OperationRecord[]
}

interface JudgedProperty {
  readonly property: string
  readonly verdict: Verdict['verdict']
  /** The history has no records that this property is about. */
  readonly isIdle: boolean
}

/** As FILE. */
const standardInput = '-'

export async function check(args: readonly string[]): Promise<void> {
  const { flags, operands } = parse(args)
  const file = operands[0]
  if (file === undefined || operands.length > 1)
    throw new CommandError('synod check needs one FILE. See synod check --help.', exitUnusable)
  if (flags['html'] !== undefined && flags['no-html'] === true)
    throw new CommandError('--html and --no-html contradict each other.', exitUnusable)
  const history = await read(file, flags)
  const stepsMax = flags['steps'] === undefined ? undefined : steps(String(flags['steps']))
  const report = judge(history, stepsMax)
  const wanted = htmlPath(file, flags, report)
  const html = wanted !== undefined && writeTimeline(wanted, file, report) ? wanted : undefined
  if (flags['json'] === true)
    printJson({ file, ...summary(history), ...withoutDetails(report), ...(html ? { html } : {}) })
  else print(file, history, report, html)
  process.exitCode = exitCodes[report.verdict]
}

function parse(args: readonly string[]): ParsedArguments {
  try {
    return parseArguments('check', args, {
      format: { type: 'string' },
      model: { type: 'string' },
      initial: { type: 'string' },
      steps: { type: 'string' },
      html: { type: 'string' },
      'no-html': { type: 'boolean' },
      json: { type: 'boolean' },
    })
  } catch (error) {
    throw new CommandError((error as Error).message, exitUnusable)
  }
}

function steps(text: string): number {
  try {
    return wholeNumber('steps', text, 1, Number.MAX_SAFE_INTEGER)
  } catch (error) {
    throw new CommandError((error as Error).message, exitUnusable)
  }
}

function oneOf<T extends string>(
  flag: string,
  value: string | boolean | undefined,
  names: readonly T[],
): T | undefined {
  if (value === undefined) return undefined
  const name = names.find((each) => each === value)
  if (name === undefined)
    throw new CommandError(`--${flag} is "${value}"; it must be ${names.join(', ')}.`, exitUnusable)
  return name
}

async function read(file: string, flags: ParsedArguments['flags']): Promise<JudgedHistory> {
  const format = oneOf<FormatName>('format', flags['format'], formatNames)
  const model = oneOf<ModelName>('model', flags['model'], modelNames)
  const initial = flags['initial']
  let text: string
  try {
    text = file === standardInput ? (await readStandardInput()).toString('utf8') : readFileSync(file, 'utf8')
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as Error).message}`, exitUnusable)
  }
  try {
    return readHistory(text, {
      ...(format === undefined ? {} : { format }),
      ...(model === undefined ? {} : { model }),
      ...(typeof initial === 'string' ? { initial } : {}),
    })
  } catch (error) {
    if (error instanceof FormatError) throw new CommandError(`${nameOf(file)}: ${error.message}`, exitUnusable)
    throw error
  }
}

function judge(history: JudgedHistory, stepsMax: number | undefined): Report {
  if (history.model === 'key-value') return judgeRecords(history.attempts[0]!.records, stepsMax)
  const results = history.attempts.map(({ initial, records, initialWrites }) => {
    const result = checkLinearizability(records, stepsMax === undefined ? {} : { stepsMax })
    return { initial, result: { ...result, checked: result.checked - initialWrites } }
  })
  const found = results.find(({ result }) => result.verdict === 'linearizable')
  if (found !== undefined) {
    const details =
      found === results[0] ? [] : [`Registers are taken to begin with ${found.initial}: with nil there is no order.`]
    return { ...linearizableReport('valid', found.result), details }
  }
  const unsure = results.find(({ result }) => result.verdict === 'could not tell')
  if (unsure !== undefined) return unfoundReport('unknown', unsure.result)
  // Of several initial states the one that leads furthest is the one that was meant.
  const reach = ({ result }: (typeof results)[number]) => result.failure!.deadEnd?.blocked.returnedMs ?? 0
  return unfoundReport('invalid', results.reduce((best, each) => (reach(each) > reach(best) ? each : best)).result)
}

function linearizableReport(verdict: Verdict['verdict'], result: LinearizabilityResult): Report {
  return {
    verdict,
    checked: result.checked,
    properties: [{ property: 'linearizability', verdict, isIdle: result.checked === 0 }],
    explanation: '',
    details: [],
    evidence: [],
    highlighted: [],
  }
}

function unfoundReport(verdict: 'invalid' | 'unknown', result: LinearizabilityResult): Report {
  const explained = explainDeadEnd(result.failure!)
  const blocked = explained.blocked
  const head =
    verdict === 'invalid'
      ? `No order reaches the return of "${blocked === undefined ? '' : describeOperation(blocked)}" of client ${blocked?.client}.`
      : `The search met its bound of ${counted(result.steps, 'step')}; the furthest it came was ${blocked === undefined ? 'the beginning' : `"${describeOperation(blocked)}"`}.`
  const highlighted = explained.misfits.map(({ record }) => record)
  const longest = `The longest order takes ${counted(explained.takenCount, 'operation')}; after it the state can be: ${explained.states.join('; or ')}.`
  return {
    ...linearizableReport(verdict, result),
    explanation: head,
    details: [
      // A search that was cut off before its first dead end has nothing to show.
      ...(explained.states.length === 0 ? [] : [longest]),
      ...explained.misfits.map(
        ({ record, reason }) => `  ${describeOperation(record)} (client ${record.client}): ${reason}`,
      ),
    ],
    evidence: explained.evidence,
    highlighted,
  }
}

/** Our own records: every property, linearizability with all its details. */
function judgeRecords(records: readonly HistoryRecord[], stepsMax: number | undefined): Report {
  const others = checkHistory(
    records,
    allCheckers.filter((checker) => checker !== linearizability),
  )
  const result = checkLinearizability(records, stepsMax === undefined ? {} : { stepsMax })
  const verdict = ({ linearizable: 'valid', 'not linearizable': 'invalid', 'could not tell': 'unknown' } as const)[
    result.verdict
  ]
  const properties = [
    ...others.verdicts.map(({ property, verdict }) => ({
      property,
      verdict: verdict.verdict,
      isIdle: verdict.verdict === 'valid' && verdict.checked === 0,
    })),
    { property: 'linearizability', verdict, isIdle: result.checked === 0 },
  ]
  const violated = others.verdicts.map((each) => each.verdict).find((each) => each.verdict === 'invalid')
  if (verdict === 'invalid' || (verdict === 'unknown' && violated === undefined)) {
    const also = violated?.verdict === 'invalid' ? [`Also ${violated.property}: ${violated.explanation}`] : []
    const report = unfoundReport(verdict, result)
    return { ...report, checked: records.length, properties, details: [...report.details, ...also] }
  }
  const shown = violated ?? others.verdicts.map((each) => each.verdict).find((each) => each.verdict === 'unknown')
  const evidence = shown?.verdict === 'invalid' ? shown.evidence : []
  return {
    verdict: shown?.verdict ?? 'valid',
    checked: records.length,
    properties,
    explanation: shown === undefined ? '' : `${shown.property}: ${shown.explanation}`,
    details: [],
    evidence,
    highlighted: evidence.filter(isOperation),
  }
}

function isOperation(record: HistoryRecord): record is OperationRecord {
  return record.type === 'operation'
}

/** On request, and by default beside the file (if it is one) when something is wrong. */
function htmlPath(file: string, flags: ParsedArguments['flags'], report: Report): string | undefined {
  if (typeof flags['html'] === 'string') return flags['html']
  const wanted = report.verdict === 'invalid' && flags['no-html'] !== true && report.evidence.some(isOperation)
  return wanted && file !== standardInput ? `${file}.html` : undefined
}

/** False, and said, when it cannot be written: the judgement counts all the same. */
function writeTimeline(path: string, file: string, report: Report): boolean {
  const text = renderTimeline({
    title: `${nameOf(file)}: ${headline(report)}`,
    explanation: [report.explanation, ...report.details].join(' '),
    operations: report.evidence.filter(isOperation),
    highlighted: new Set(report.highlighted),
    describe: describeOperation,
  })
  try {
    writeFileSync(path, text)
    return true
  } catch (error) {
    process.stderr.write(`synod: the timeline was not written: ${(error as Error).message}\n`)
    return false
  }
}

const words = { valid: 'linearizable', invalid: 'not linearizable', unknown: 'could not tell' } as const
const wordsOfProperties = { valid: 'holds', invalid: 'violated', unknown: 'could not tell' } as const

function summary(history: JudgedHistory) {
  return { format: history.format, model: history.model }
}

function withoutDetails({ verdict, checked, properties, explanation, details, evidence }: Report) {
  const judged = properties.map((each) => ({ property: each.property, verdict: each.verdict }))
  return { verdict, checked, properties: judged, explanation, details, evidence }
}

function nameOf(file: string): string {
  return file === standardInput ? 'standard input' : file
}

/** The verdict in a few words. */
function headline({ verdict, properties }: Report): string {
  const violated = properties.filter((each) => each.verdict === 'invalid').map((each) => each.property)
  if (verdict === 'invalid' && !violated.includes('linearizability')) return `${violated.join(', ')} violated`
  if (verdict !== 'valid' || !properties.some((each) => each.isIdle && each.property === 'linearizability'))
    return words[verdict]
  return properties.every((each) => each.isIdle) ? 'nothing to check' : 'all holds'
}

function print(file: string, history: JudgedHistory, report: Report, html: string | undefined): void {
  const only = report.properties.length === 1
  const size = counted(report.checked, only ? 'operation' : 'record')
  printLine(`${nameOf(file)}: ${headline(report)} (${size}, ${history.format}, ${history.model})`)
  if (!only) for (const each of report.properties) printLine(`  ${each.property.padEnd(20)}${stateOf(each)}`)
  if (report.explanation !== '') printLine(`\n${escapeControls(report.explanation)}`)
  for (const line of report.details) printLine(escapeControls(line))
  if (report.evidence.length > 0) printLine('\nThe operations around it:')
  for (const record of report.evidence) printLine(`  ${escapeControls(lineOf(record))}`)
  if (html !== undefined) printLine(`\nTimeline: ${html}`)
}

function stateOf({ verdict, isIdle }: JudgedProperty): string {
  return verdict === 'valid' && isIdle ? 'nothing to check' : wordsOfProperties[verdict]
}

function lineOf(record: HistoryRecord): string {
  if (!isOperation(record)) return JSON.stringify(record)
  const until = record.outcome === 'unknown' ? '…' : (record.returnedMs ?? '…')
  return `${record.client.padEnd(6)} ${`${record.invokedMs} to ${until}`.padEnd(16)} ${describeOperation(record)}`
}
