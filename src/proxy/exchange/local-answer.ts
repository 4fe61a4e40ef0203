/** The answers of routes that do not forward: redirects and fixed responses. */
import { assert, utf8Bytes } from '../../base/index.ts'
import { applyEdits, expandTemplate, type TemplateValues, usesRequestId } from '../routing/index.ts'
import { type Answer, MadeHead } from './answers.ts'
import type { ActiveRoute } from './compiled-listener.ts'
import type { IdSource, RequestPlan } from './request-plan.ts'

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
