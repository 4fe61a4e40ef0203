/** Operations in words, for people. */
import type { KvEntry, KvStep, KvStepOutput, OperationRecord } from '../../history/index.ts'

const entriesShownMax = 8

/** An operation with what it saw: `get x → 1`. */
export function describeOperation(record: OperationRecord): string {
  return `${describeInput(record)}${describeOutcome(record)}`
}

export function describeInput({ input }: OperationRecord): string {
  switch (input.op) {
    case 'get':
      return `get ${input.key}`
    case 'range':
      return `range [${input.key}, ${input.end})`
    case 'put':
      return `put ${input.key} ${quote(input.value)}`
    case 'delete':
      return `delete ${input.key}`
    case 'cas':
      return `cas ${input.key} ${input.expected === null ? 'absent' : quote(input.expected)} to ${quote(input.value)}`
    case 'txn': {
      const compares = input.compares.map(
        ({ key, target, relation, operand }) => `${target}(${key}) ${relation} ${quote(String(operand))}`,
      )
      const branches = `[${input.success.map(describeStep).join(', ')}]${
        input.failure.length === 0 ? '' : ` else [${input.failure.map(describeStep).join(', ')}]`
      }`
      return `txn ${compares.length === 0 ? '' : `if ${compares.join(' and ')} `}${branches}`
    }
  }
}

function describeStep(step: KvStep): string {
  return step.op === 'put' ? `put ${step.key} ${quote(step.value)}` : `${step.op} ${step.key}`
}

function describeOutcome({ input, outcome, output, error }: OperationRecord): string {
  if (outcome === 'unknown') return ` → outcome unknown${error === undefined ? '' : ` (${error})`}`
  if (outcome === 'failed') return ` → failed${error === undefined ? '' : ` (${error})`}`
  const parts: string[] = []
  if (output?.succeeded !== undefined && (input.op === 'cas' || input.op === 'txn'))
    parts.push(output.succeeded ? 'condition held' : 'condition did not hold')
  if (output?.entries !== undefined) parts.push(describeEntries(output.entries))
  if (output?.deleted !== undefined) parts.push(`deleted ${output.deleted}`)
  if (output?.steps !== undefined) {
    const steps = output.steps.map(describeStepOutput).filter((text) => text !== '')
    if (steps.length > 0) parts.push(`saw ${steps.join(', ')}`)
  }
  if (output?.revision !== undefined) parts.push(`revision ${output.revision}`)
  return parts.length === 0 ? ' → ok' : ` → ${parts.join(', ')}`
}

function describeStepOutput(output: KvStepOutput): string {
  if (output.entries !== undefined) return describeEntries(output.entries)
  return output.deleted === undefined ? '' : `deleted ${output.deleted}`
}

function describeEntries(entries: readonly KvEntry[]): string {
  if (entries.length === 0) return 'absent'
  if (entries.length === 1) return describeEntry(entries[0]!)
  const shown = entries.slice(0, entriesShownMax).map((entry) => `${entry.key}=${describeEntry(entry)}`)
  return `{${shown.join(', ')}${entries.length > entriesShownMax ? `, … ${entries.length} entries` : ''}}`
}

function describeEntry({ value, modRevision }: KvEntry): string {
  return `${quote(value)}${modRevision === undefined ? '' : ` (modRevision ${modRevision})`}`
}

/** `1 step`, `2 steps`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

const wordPattern = /^[\w.:/+-]{1,40}$/
const textShownMax = 60

/** Values as they are if they are plain words, else as JSON, shortened. */
export function quote(text: string): string {
  if (wordPattern.test(text)) return text
  return JSON.stringify(text.length > textShownMax ? `${text.slice(0, textShownMax)}…` : text)
}
