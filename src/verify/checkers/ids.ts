/** Generators: no id is ever made twice, by whomever. */
import type { Checker, IdsRecord } from '../history/index.ts'
import { groupBy, invalid, recordsOf, valid } from './verdicts.ts'

const property = 'unique-ids'

export const uniqueIds: Checker = {
  property,
  check: (history) => {
    const records = recordsOf(history, 'ids')
    for (const [name, made] of groupBy(records, (record) => record.name)) {
      const makers = new Map<string, IdsRecord>()
      for (const record of made) {
        for (const id of record.ids) {
          const other = makers.get(id)
          if (other !== undefined)
            return invalid(property, `Generator ${name} made ${id} for ${other.client} and for ${record.client}.`, [
              other,
              record,
            ])
          makers.set(id, record)
        }
      }
    }
    return valid(records.length)
  },
}
