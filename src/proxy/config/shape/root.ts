/** The whole file. */
import type { AccessLogConfig, ProxyConfig } from '../model.ts'
import {
  duration,
  either,
  field,
  flag,
  type HostPort,
  type Invalid,
  list,
  listenAddress,
  mapped,
  object,
  oneOf,
  optional,
  orOff,
  type Read,
  record,
  refuse,
  required,
  type Schema,
  scalar,
  size,
} from '../schema/index.ts'
import { listener } from './listener.ts'
import { filePath, plainName } from './texts.ts'
import { upstream } from './upstream.ts'

const adminFields = object(
  'Admin',
  'Metrics, status, and commands to the running proxy, over HTTP without a password.',
  {
    address: required(listenAddress(), 'Where.'),
    allowRemote: field(
      flag(),
      false,
      'false',
      'Must be true for an address off loopback: whoever reaches it can drain and reload the proxy.',
    ),
  },
)

const isLoopback = (host: string): boolean => /^127\./.test(host) || host === '::1' || host === 'localhost'

const admin: Schema<HostPort> = either(
  mapped(listenAddress(), (address, at, source): HostPort | Invalid => {
    if (!isLoopback(address.host)) source.report(at, remoteAdmin)
    return address
  }),
  mapped(adminFields, ({ address, allowRemote }, at, source): HostPort | Invalid => {
    if (!isLoopback(address.host)) {
      if (!allowRemote) source.report([...at, 'address'], remoteAdmin)
      else source.warn([...at, 'allowRemote'], 'whoever reaches the admin address can drain and reload the proxy')
    }
    return address
  }),
)
const remoteAdmin =
  'is not on loopback, and admin asks for no password: use 127.0.0.1, or write {address: …, allowRemote: true}'

const accessLogFields = object('AccessLog', 'One line for each request.', {
  file: required(filePath, '`-`: standard output. Opened again on SIGUSR1.'),
  format: field(oneOf('combined', 'json'), 'combined', 'combined', '`combined` as nginx and Apache write it.'),
})

const accessLog: Schema<AccessLogConfig | undefined> = orOff(
  either(
    mapped(filePath, (file): AccessLogConfig => ({ file, format: 'combined' })),
    mapped(accessLogFields, ({ file, format }): AccessLogConfig => ({ file, format })),
  ),
)

const connection: Schema<string> = scalar({ type: 'connection string', json: { type: 'string' } }, (value) =>
  /^[a-z][a-z0-9+-]*:\S+$/.test(value) && value.length <= 2_048
    ? value
    : refuse('write a connection string, such as synod://127.0.0.1:2379'),
)

const workers: Schema<number | 'auto'> = scalar(
  {
    type: 'integer 1–128, or `auto`',
    json: { anyOf: [{ type: 'integer', minimum: 1, maximum: 128 }, { const: 'auto' }] },
  },
  (value, raw) => {
    if (value === 'auto') return 'auto'
    return typeof raw === 'number' && Number.isInteger(raw) && raw >= 1 && raw <= 128
      ? raw
      : refuse('must be a whole number from 1 to 128, or auto')
  },
)

export const rootFields = object('Configuration', 'The whole file.', {
  workers: field(workers, 1, '1', 'Worker processes; `auto`: one for each processor.'),
  drainTimeout: field(
    duration({ maxMs: 86_400_000 }),
    30_000,
    '30s',
    'What is under way at a reload, drain or stop gets this long to finish.',
  ),
  buffers: field(
    size(1 << 20, 1024 ** 4),
    256 << 20,
    '256MiB',
    'What each worker holds of data in flight at most: for slow readers, for retries, for mirrors. From half of it on mirrors are dropped, from five eighths on bodies are not kept for retries, from three quarters on senders wait sooner; at the bound the connection for which most waits is reset.',
  ),
  admin: field(
    orOff(admin),
    undefined,
    'off',
    'Where metrics and status are served: an address on loopback, or in full.',
  ),
  registry: optional(connection, 'Connection string of the coordination plane, for upstreams with `registry`.'),
  accessLog: field(accessLog, undefined, 'off', 'A file, `-` for standard output, or in full.'),
  listeners: required(list(listener, { itemsMin: 1, itemsMax: 256 }), 'Where connections are accepted.'),
  upstreams: field(
    record(upstream, { keys: plainName, keyName: 'name', entriesMax: 10_000 }),
    [],
    'none',
    'Groups of endpoints, by name.',
  ),
})

/** The file as the model has it; references are not checked yet. */
export function rootSchema(processors: number): Schema<ProxyConfig> {
  return mapped(
    rootFields,
    (read: Read<typeof rootFields>): ProxyConfig => ({
      workers: read.workers === 'auto' ? Math.max(1, Math.min(128, processors)) : read.workers,
      drainTimeoutMs: read.drainTimeout,
      bufferedBytesMax: read.buffers,
      admin: read.admin,
      registry: read.registry,
      accessLog: read.accessLog,
      listeners: read.listeners,
      upstreams: read.upstreams.map(([name, { settings, ...rest }]) => ({ ...rest, settings: { ...settings, name } })),
    }),
  )
}
