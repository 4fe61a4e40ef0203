/** Small decisions of an exchange that depend on nothing but their arguments. */
import { assert, utf8Bytes } from '../../base/index.ts'
import type { RetryCondition } from '../config/index.ts'
import { applyEdits, expandTemplate, type TemplateValues, usesRequestId } from '../routing/index.ts'
import { type Answer, MadeHead } from './answers.ts'
import type { ActiveRoute } from './compiled-listener.ts'
import { GrpcStatusCode } from './grpc.ts'
import type { IdSource, RequestPlan } from './request-plan.ts'

/** Whether an answer says that its endpoint is not well: 5xx but 501 (a method it does not know), or UNAVAILABLE. */
export function isUnwell(status: number, grpcStatus: number | undefined): boolean {
  return (status >= 500 && status !== 501) || grpcStatus === GrpcStatusCode.unavailable
}

/** The condition under which such an answer is dropped for another attempt. UNAVAILABLE without a body counts as 503. */
export function retryConditionOf(status: number, grpcStatus: number | undefined): RetryCondition | undefined {
  if (grpcStatus === GrpcStatusCode.unavailable) return '503'
  if (status === 502) return '502'
  if (status === 503) return '503'
  return status === 504 ? '504' : undefined
}

/** The answer of a route that does not forward; the same object for the same plan and second, unless it holds an id. */
export function localAnswer(route: ActiveRoute, plan: RequestPlan, date: string, ids: IdSource): Answer {
  const { location, responseEdits } = route.compiled
  if (plan.requestId === '' && (responseEdits.usesRequestId || usesRequestId(location)))
    return makeAnswer(route, date, plan.valuesOf(ids))
  const known = plan.answer
  if (known !== undefined && known.date === date) return known.answer
  const answer = makeAnswer(route, date, plan.values)
  plan.answer = { date, answer }
  return answer
}

function makeAnswer(route: ActiveRoute, date: string, values: TemplateValues): Answer {
  const { action } = route.config
  assert(action.type !== 'forward', 'a route that forwards has no answer of its own')
  const isRedirect = action.type === 'redirect'
  const body = utf8Bytes(isRedirect ? '' : action.body)
  const fields: string[] = []
  if (isRedirect) fields.push('location', expandTemplate(route.compiled.location, values))
  else if (body.length > 0) fields.push('content-type', action.contentType)
  fields.push('date', date)
  const edited = applyEdits(fields, route.compiled.responseEdits, values)
  return { head: new MadeHead(action.status, edited, body.length), body, error: '' }
}
