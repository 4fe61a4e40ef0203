/** The operations of a history, carried out as etcd calls. */

import type { KvEntry, KvInput, KvOutput } from '../../history/index.ts'
import type { EtcdApi, KeyValue, TxnReply } from '../client/etcd-api.ts'

export async function perform(
  api: EtcdApi,
  input: KvInput,
  serializable: boolean,
  timeoutMs: number,
): Promise<KvOutput> {
  switch (input.op) {
    case 'get':
    case 'range': {
      const end = input.op === 'range' ? { end: input.end } : {}
      const { revision, entries } = await api.range({ key: input.key, ...end, serializable }, timeoutMs)
      return { revision, entries: entries.map(entryOf) }
    }
    case 'put':
      return { revision: await api.put(input.key, input.value, timeoutMs) }
    case 'delete': {
      const { revision, deleted } = await api.delete(input.key, timeoutMs)
      return { revision, deleted }
    }
    case 'cas': {
      const { key, expected, value } = input
      const compare =
        expected === null
          ? ({ key, target: 'version', relation: '=', operand: 0 } as const)
          : ({ key, target: 'value', relation: '=', operand: expected } as const)
      const reply = await api.txn({ compares: [compare], success: [{ op: 'put', key, value }], failure: [] }, timeoutMs)
      return { revision: reply.revision, succeeded: reply.succeeded }
    }
    case 'txn':
      return outputOf(await api.txn(input, timeoutMs))
  }
}

function outputOf({ revision, succeeded, steps }: TxnReply): KvOutput {
  return {
    revision,
    succeeded,
    steps: steps.map((step) => ({
      ...(step.entries === undefined ? {} : { entries: step.entries.map(entryOf) }),
      ...(step.deleted === undefined ? {} : { deleted: step.deleted }),
    })),
  }
}

/** A key's state without its lease, which histories leave out. */
export function entryOf({ key, value, createRevision, modRevision, version }: KeyValue): KvEntry {
  return { key, value, createRevision, modRevision, version }
}
