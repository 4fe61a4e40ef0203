/** The head that the client gets: the upstream's, with what the route changes, a cookie, and a date where it has none. */
import type { Fields, ResponseHead } from '../http/index.ts'
import { applyEdits, rewriteLocations } from '../routing/index.ts'
import { MadeHead } from './answers.ts'
import type { IdSource, RequestPlan } from './request-plan.ts'

/** In `ResponseHead.memo`: the head made from it, for the same plan and date (empty: the upstream's own). */
class EditedHead {
  readonly plan: RequestPlan
  readonly date: string
  readonly head: ResponseHead

  constructor(plan: RequestPlan, date: string, head: ResponseHead) {
    this.plan = plan
    this.date = date
    this.head = head
  }
}

/**
 * `head`, of which a body follows, or the same without the length of that: where trailers are announced (RFC 9110 §6.6.2) and
 * the client waits for them, HTTP/1.1 carries them in a chunked message only (RFC 9112 §7.1.2).
 */
export function withRoomForTrailers(head: ResponseHead, plan: RequestPlan): ResponseHead {
  if (!plan.wantsTrailers || head.bodyLength === 'unknown' || head.get('trailer') === undefined) return head
  return new MadeHead(head.status, head.fields, 'unknown')
}

/** Tells the date of now, as a field's value. */
export interface DateSource {
  date(): string
}

/** `head` itself when nothing is changed, so that its encoded form can be used again. `cookie`: undefined: none is set. */
export function responseHeadFor(
  head: ResponseHead,
  plan: RequestPlan,
  cookie: string | undefined,
  dates: DateSource,
  ids: IdSource,
): ResponseHead {
  const { responseEdits: edits, locationRewrites: rewrites } = plan.route!.compiled
  // RFC 9110 §6.6.1: who forwards a response without a date adds one.
  const needsDate = head.status !== 101 && head.get('date') === undefined
  const hasPlace = !rewrites.isEmpty && (head.get('location') !== undefined || head.get('refresh') !== undefined)
  const usesId = (edits.usesRequestId || (hasPlace && rewrites.usesRequestId)) && plan.requestId === ''
  if (edits.isEmpty && !needsDate && cookie === undefined && !hasPlace) return head
  const date = needsDate ? dates.date() : ''
  const { memo } = head
  const isShared = cookie === undefined && !usesId
  if (isShared && memo instanceof EditedHead && memo.plan === plan && memo.date === date) return memo.head
  const values = usesId ? plan.valuesOf(ids) : plan.values
  const placed = hasPlace ? rewriteLocations(head.fields, rewrites, values) : head.fields
  let fields: Fields = applyEdits(placed, edits, values)
  if (needsDate) fields = [...fields, 'date', date]
  if (cookie !== undefined) fields = [...fields, 'set-cookie', cookie]
  const made = new MadeHead(head.status, fields, head.bodyLength)
  if (isShared) head.memo = new EditedHead(plan, date, made)
  return made
}
