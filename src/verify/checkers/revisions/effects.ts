/** What an operation changes, as far as its record tells. */
import type { KvStep, KvStepOutput, OperationRecord } from '../../history/index.ts'

/** The value that a key has afterwards; null: it is deleted. */
export type Changes = ReadonlyMap<string, string | null>

/** Of a certain operation what it changed; undefined if its reply does not tell. */
export function changesOf({ input, output }: OperationRecord): Changes | undefined {
  switch (input.op) {
    case 'get':
    case 'range':
      return new Map()
    case 'put':
      return new Map([[input.key, input.value]])
    case 'delete':
      if (output?.deleted === undefined) return undefined
      return output.deleted > 0 ? new Map([[input.key, null]]) : new Map()
    case 'cas':
      if (output?.succeeded === undefined) return undefined
      return output.succeeded ? new Map([[input.key, input.value]]) : new Map()
    case 'txn': {
      const succeeded = input.compares.length === 0 ? true : output?.succeeded
      if (succeeded === undefined) return undefined
      return stepChanges(succeeded ? input.success : input.failure, output?.steps)
    }
  }
}

function stepChanges(steps: readonly KvStep[], outputs: readonly KvStepOutput[] | undefined): Changes | undefined {
  const changes = new Map<string, string | null>()
  for (const [position, step] of steps.entries()) {
    if (step.op === 'put') changes.set(step.key, step.value)
    if (step.op !== 'delete') continue
    const deleted = outputs?.[position]?.deleted
    if (deleted === undefined) return undefined
    if (deleted > 0) changes.set(step.key, null)
  }
  return changes
}

/** What an operation of unknown outcome may have changed: one of these, if anything. A delete may have found nothing. */
export function possibleChanges({ input }: OperationRecord): Changes[] {
  switch (input.op) {
    case 'get':
    case 'range':
      return []
    case 'delete':
      return [new Map([[input.key, null]])]
    case 'put':
    case 'cas':
      return [new Map([[input.key, input.value]])]
    case 'txn': {
      const branches = input.compares.length === 0 ? [input.success] : [input.success, input.failure]
      return branches
        .map((steps) => new Map(steps.flatMap((step) => changeOf(step))))
        .filter((changes) => changes.size > 0)
    }
  }
}

function changeOf(step: KvStep): [string, string | null][] {
  if (step.op === 'get') return []
  return [[step.key, step.op === 'put' ? step.value : null]]
}
