/** Knossos histories: maps like `{:process 0, :type :invoke, :f :write, :value 3}`, one after another or in one vector. */
import { type Edn, EdnError, field, type PlacedEdn, printEdn, readEdn } from './edn.ts'
import type { HistoryEvent } from './events.ts'
import { FormatError } from './format-error.ts'

export function readKnossosEdn(text: string): HistoryEvent[] {
  let elements: PlacedEdn[]
  try {
    elements = readEdn(text)
  } catch (error) {
    if (error instanceof EdnError) throw new FormatError(error.message, error.line)
    throw error
  }
  return elements.flatMap(({ value, line }) => {
    const whole = untagged(value)
    if (whole.kind === 'vector' || whole.kind === 'list') return whole.items.map((item) => eventOf(item, line))
    return [eventOf(whole, line)]
  })
}

const types = ['invoke', 'ok', 'fail', 'info'] as const

function eventOf(element: Edn, lineOfWhole: number): HistoryEvent {
  const map = untagged(element)
  const line = map.kind === 'map' ? map.line : lineOfWhole
  const type = types.find((each) => each === nameOf(field(map, 'type')))
  const f = nameOf(field(map, 'f'))
  const process = field(map, 'process')
  if (type === undefined || f === undefined || process === undefined)
    throw new FormatError(`${shortened(printEdn(element))} is no operation: it needs :process, :type and :f`, line)
  const key = field(map, 'key')
  const error = field(map, 'error')
  return {
    process: printEdn(process),
    type,
    f,
    value: untagged(field(map, 'value') ?? { kind: 'nil' }),
    key: key === undefined ? undefined : printEdn(key),
    error: error === undefined ? undefined : printEdn(error),
    line,
  }
}

/** Records are written with the tag of their class. */
function untagged(value: Edn): Edn {
  return value.kind === 'tagged' ? untagged(value.value) : value
}

function nameOf(value: Edn | undefined): string | undefined {
  if (value?.kind === 'keyword' || value?.kind === 'symbol') return value.name
  return value?.kind === 'string' ? value.value : undefined
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
