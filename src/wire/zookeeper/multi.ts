/**
 * Several steps in one request: all of them, at one zxid, or none.
 *
 *     request   ( MultiHeader(type, done false, err -1)  request record of the type )*  MultiHeader(-1, true, -1)
 *     response  ( MultiHeader(type, done false, err)     response record of the type )*  MultiHeader(-1, true, -1)
 *
 * When a step fails, every step is answered with type -1 and an ErrorResponse { int err }: 0 for the steps before it,
 * its own error, and runtimeInconsistency for those after it. A multiRead has the same grammar, and there each step
 * fails alone.
 */
import { boolean, type Carried, type Codec, int, JuteError, nothing, record } from './jute.ts'
import {
  checkRequest,
  create2Response,
  createRequest,
  createResponse,
  createTtlRequest,
  deleteRequest,
  getChildrenRequest,
  getChildrenResponse,
  getDataRequest,
  getDataResponse,
  setDataRequest,
  setDataResponse,
} from './nodes.ts'
import { opCodes } from './protocol.ts'

const header = record({ type: int, done: boolean, err: int })
const errorResponse = record({ err: int })
const stepsMax = 100_000
const errorType = -1
const endOfSteps = { type: -1, done: true, err: -1 } as const

const stepRequests = {
  create: createRequest,
  create2: createRequest,
  createContainer: createRequest,
  createTtl: createTtlRequest,
  delete: deleteRequest,
  setData: setDataRequest,
  check: checkRequest,
  getData: getDataRequest,
  getChildren: getChildrenRequest,
} as const

const stepResponses = {
  create: createResponse,
  create2: create2Response,
  createContainer: create2Response,
  createTtl: create2Response,
  delete: nothing,
  setData: setDataResponse,
  check: nothing,
  getData: getDataResponse,
  getChildren: getChildrenResponse,
} as const

type StepType = keyof typeof stepRequests

/** One step, named by `op`. */
export type MultiStep = {
  [Op in StepType]: { readonly op: Op } & Carried<(typeof stepRequests)[Op]>
}[StepType]

/** What came of one step. */
export type MultiResult =
  | { [Op in StepType]: { readonly op: Op } & Carried<(typeof stepResponses)[Op]> }[StepType]
  | { readonly op: 'error'; readonly err: number }

const stepTypes = new Map<number, StepType>(
  (Object.keys(stepRequests) as StepType[]).map((name) => [opCodes[name], name]),
)

function stepType(type: number): StepType {
  const name = stepTypes.get(type)
  if (name === undefined) throw new JuteError(`a multi has no step of the type ${type}`)
  return name
}

export const multiRequest: Codec<readonly MultiStep[]> = {
  write(writer, steps) {
    for (const step of steps) {
      header.write(writer, { type: opCodes[step.op], done: false, err: -1 })
      const codec = stepRequests[step.op] as Codec<MultiStep>
      codec.write(writer, step)
    }
    header.write(writer, endOfSteps)
  },
  read(reader) {
    const steps: MultiStep[] = []
    for (let next = header.read(reader); !next.done; next = header.read(reader)) {
      const op = stepType(next.type)
      steps.push({ op, ...stepRequests[op].read(reader) } as MultiStep)
      if (steps.length > stepsMax) throw new JuteError(`a multi of more than ${stepsMax} steps`)
    }
    return steps
  },
}

export const multiResponse: Codec<readonly MultiResult[]> = {
  write(writer, results) {
    for (const result of results) {
      if (result.op === 'error') {
        header.write(writer, { type: errorType, done: false, err: result.err })
        errorResponse.write(writer, result)
      } else {
        header.write(writer, { type: opCodes[result.op], done: false, err: 0 })
        const codec = stepResponses[result.op] as Codec<MultiResult>
        codec.write(writer, result)
      }
    }
    header.write(writer, endOfSteps)
  },
  read(reader) {
    const results: MultiResult[] = []
    for (let next = header.read(reader); !next.done; next = header.read(reader)) {
      if (next.type === errorType) results.push({ op: 'error', err: errorResponse.read(reader).err })
      else {
        const op = stepType(next.type)
        results.push({ op, ...stepResponses[op].read(reader) } as MultiResult)
      }
      if (results.length > stepsMax) throw new JuteError(`a multi of more than ${stepsMax} steps`)
    }
    return results
  },
}
