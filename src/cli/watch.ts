/** synod watch. */
import { parseArguments, wholeNumber } from './arguments.ts'
import { decodeFields, decodeKeyValue, encode, jsonOf, keyRange, printable } from './etcd-messages.ts'
import { operand, refuseMore, withConnection } from './keys.ts'
import { CommandError, printJson, printLine } from './output.ts'

const tombstoneType = 1

export async function watch(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('watch', args, {
    endpoints: { type: 'string' },
    json: { type: 'boolean' },
    prefix: { type: 'boolean' },
    rev: { type: 'string' },
  })
  const range = keyRange(operand(operands, 0, 'watch', 'KEY'), flags['prefix'] === true)
  refuseMore(operands, 1, 'watch')
  const revision = typeof flags['rev'] === 'string' ? wholeNumber('rev', flags['rev'], 1, Number.MAX_SAFE_INTEGER) : 0
  await withConnection(flags['endpoints'], async (connection) => {
    const stream = connection.stream('/etcdserverpb.Watch/Watch')
    stream.send(
      encode((w) => w.message(1, (create) => create.bytes(1, range.key).bytes(2, range.end).int(3, revision))),
    )
    process.once('SIGINT', () => process.exit(0))
    for await (const message of stream.messages()) {
      const response = decodeFields(message)
      if (response.number(4) === 1) {
        const compacted = response.number(5)
        throw new CommandError(
          compacted > 0
            ? `the history before revision ${compacted} has been compacted. Watch from --rev ${compacted} or later.`
            : `the watch was cancelled: ${response.text(6) || 'no reason given'}`,
        )
      }
      for (const event of response.all(11)) printEvent(event, flags['json'] === true)
    }
  })
}

function printEvent(bytes: Uint8Array, json: boolean): void {
  const event = decodeFields(bytes)
  const kv = decodeKeyValue(event.bytes(2))
  const deleted = event.number(1) === tombstoneType
  if (json)
    printJson(
      deleted
        ? { type: 'delete', key: printable(kv.key), modRevision: kv.modRevision }
        : { type: 'put', ...jsonOf(kv) },
    )
  else
    printLine(
      deleted
        ? `${kv.modRevision}\tdelete\t${printable(kv.key)}`
        : `${kv.modRevision}\tput\t${printable(kv.key)}\t${printable(kv.value)}`,
    )
}
