/** Heads of responses as a handler would make them. */
import type { Fields, ResponseHead } from '../index.ts'

export function responseHead(
  status: number,
  fields: Fields = [],
  bodyLength: ResponseHead['bodyLength'] = 0,
): ResponseHead {
  return {
    status,
    fields,
    bodyLength,
    memo: undefined,
    get: (name) => {
      const at = fields.findIndex((field, i) => i % 2 === 0 && field === name)
      return at === -1 ? undefined : fields[at + 1]
    },
  }
}
