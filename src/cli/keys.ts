/** synod put, get, del. */
import { parseArguments, wholeNumber } from './arguments.ts'
import { EtcdConnection, endpointsOf } from './etcd-connection.ts'
import { decodeFields, decodeKeyValue, encode, jsonOf, keyRange, printable } from './etcd-messages.ts'
import { readStandardInput } from './input.ts'
import { CommandError, printJson, printLine } from './output.ts'

const common = { endpoints: { type: 'string' }, json: { type: 'boolean' } } as const

/** Runs `body` with a connection, closed afterwards. */
export async function withConnection<T>(
  endpoints: string | boolean | undefined,
  body: (connection: EtcdConnection) => Promise<T>,
): Promise<T> {
  const connection = await EtcdConnection.open(endpointsOf(endpoints))
  try {
    return await body(connection)
  } finally {
    connection.close()
  }
}

export function operand(operands: readonly string[], position: number, command: string, what: string): string {
  const value = operands[position]
  if (value === undefined)
    throw new CommandError(
      `synod ${command} needs ${/^[aeiou]/.test(what) ? 'an' : 'a'} ${what}. See synod ${command} --help.`,
      2,
    )
  return value
}

/** Refuses operands past the first `count`: what a command does not understand it must not pass over. */
export function refuseMore(operands: readonly string[], count: number, command: string): void {
  const extra = operands[count]
  if (extra !== undefined)
    throw new CommandError(`"${extra}" is one argument too many. See synod ${command} --help.`, 2)
}

/** A lease id as people write it: hexadecimal, as `lease grant` prints it. */
export function leaseId(text: string): bigint {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) throw new CommandError(`"${text}" is not a lease id (hexadecimal).`, 2)
  return BigInt.asIntN(64, BigInt(`0x${text}`))
}

export async function put(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('put', args, { ...common, lease: { type: 'string' } })
  const key = operand(operands, 0, 'put', 'KEY')
  const given = operand(operands, 1, 'put', 'VALUE')
  refuseMore(operands, 2, 'put')
  const lease = typeof flags['lease'] === 'string' ? leaseId(flags['lease']) : 0n
  const value = given === '-' ? await readStandardInput() : Buffer.from(given, 'utf8')
  await withConnection(flags['endpoints'], async (connection) => {
    const request = encode((w) => w.bytes(1, Buffer.from(key, 'utf8')).bytes(2, value).int64(3, lease))
    const response = decodeFields(await connection.unary('/etcdserverpb.KV/Put', request))
    const revision = response.fields(1).number(3)
    if (flags['json'] === true) printJson({ ok: true, revision })
    else printLine(`ok, revision ${revision}`)
  })
}

export async function get(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('get', args, {
    ...common,
    prefix: { type: 'boolean' },
    limit: { type: 'string' },
    rev: { type: 'string' },
    'keys-only': { type: 'boolean' },
    stale: { type: 'boolean' },
  })
  const prefix = flags['prefix'] === true
  const range = keyRange(operand(operands, 0, 'get', 'KEY'), prefix)
  const number = (name: string) =>
    typeof flags[name] === 'string' ? wholeNumber(name, flags[name], 0, Number.MAX_SAFE_INTEGER) : 0
  const limit = number('limit')
  const revision = number('rev')
  const keysOnly = flags['keys-only'] === true
  refuseMore(operands, 1, 'get')
  await withConnection(flags['endpoints'], async (connection) => {
    const request = encode((w) =>
      w
        .bytes(1, range.key)
        .bytes(2, range.end)
        .int(3, limit)
        .int(4, revision)
        .bool(7, flags['stale'] === true)
        .bool(8, keysOnly),
    )
    const response = decodeFields(await connection.unary('/etcdserverpb.KV/Range', request))
    const kvs = response.all(2).map(decodeKeyValue)
    for (const kv of kvs) {
      if (flags['json'] === true) printJson(jsonOf(kv))
      else if (keysOnly) printLine(printable(kv.key))
      else printLine(prefix ? `${printable(kv.key)}\t${printable(kv.value)}` : printable(kv.value))
    }
    if (kvs.length === 0 && !prefix) {
      if (flags['json'] !== true) process.stderr.write(`synod: there is no key ${operands[0]}\n`)
      process.exitCode = 1
    }
  })
}

export async function del(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('del', args, { ...common, prefix: { type: 'boolean' } })
  const range = keyRange(operand(operands, 0, 'del', 'KEY'), flags['prefix'] === true)
  refuseMore(operands, 1, 'del')
  await withConnection(flags['endpoints'], async (connection) => {
    const request = encode((w) => w.bytes(1, range.key).bytes(2, range.end))
    const response = decodeFields(await connection.unary('/etcdserverpb.KV/DeleteRange', request))
    const deleted = response.number(2)
    if (flags['json'] === true) printJson({ deleted, revision: response.fields(1).number(3) })
    else printLine(`deleted ${deleted}`)
  })
}
