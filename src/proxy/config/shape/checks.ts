/** `check:` of an upstream. */
import type { ActiveCheckKind, ActiveCheckSettings } from '../../../traffic/upstream/index.ts'
import type { Path } from '../problem.ts'
import {
  duration,
  either,
  field,
  flag,
  type Invalid,
  integer,
  invalid,
  list,
  mapped,
  object,
  optional,
  type Read,
  type Refusal,
  refuse,
  type Schema,
  scalar,
  text,
  type YamlSource,
} from '../schema/index.ts'
import { authority, urlPath } from './texts.ts'

const statusRange: Schema<readonly [number, number]> = scalar(
  { type: 'status, or a range of them (`200-399`)', json: { type: ['string', 'integer'] } },
  (value) => {
    const [, from, to = from] = /^(\d{3})(?:-(\d{3}))?$/.exec(value) ?? []
    const range = [Number(from), Number(to)] as const
    return range[0] >= 100 && range[1] <= 599 && range[0] <= range[1]
      ? range
      : refuse('write a status or a range, such as 200 or 200-399')
  },
)

const httpCheck = object('HttpCheck', 'A GET that must be answered with a good status.', {
  path: field(urlPath, '/', '/', 'What is asked for.'),
  host: optional(authority, 'The `Host` that is sent. Default: the address of the endpoint.'),
  status: field(statusRange, [200, 399] as const, '200-399', 'Which answers are good.'),
})

const grpcCheck = object('GrpcCheck', 'The standard gRPC health service (grpc.health.v1).', {
  service: field(
    text({ type: 'name of a gRPC service', lengthMax: 256 }),
    '',
    'the server as a whole',
    'Whose health is asked.',
  ),
})

const checkFields = object('Check', 'Active health checks: one of `tcp`, `http`, `grpc`, `script`.', {
  tcp: optional(flag(), 'true: a connection must succeed.'),
  http: optional(
    either(
      mapped(urlPath, (path) => ({ path, host: undefined, status: [200, 399] as const })),
      httpCheck,
    ),
    'A GET; the short form is the path.',
  ),
  grpc: optional(grpcCheck, 'The gRPC health service. `grpc: {}` asks for the server as a whole.'),
  script: optional(
    list(text({ type: 'text' }), { itemsMin: 1, itemsMax: 64 }),
    'A command, run with host and port of the endpoint as its last arguments; exit status 0 is healthy.',
  ),
  interval: field(
    duration({ minMs: 100, maxMs: 3_600_000 }),
    5_000,
    '5s',
    'From one check of an endpoint to the next.',
  ),
  timeout: field(duration({ minMs: 10, maxMs: 600_000 }), 2_000, '2s', 'A check that takes longer has failed.'),
  healthyAfter: field(integer(1, 100), 2, '2', 'So many good checks in a row bring an endpoint back.'),
  unhealthyAfter: field(integer(1, 100), 3, '3', 'So many bad checks in a row take an endpoint out.'),
})

function checkOf(read: Read<typeof checkFields>, at: Path, source: YamlSource): ActiveCheckSettings | Invalid {
  const kinds: ActiveCheckKind[] = []
  if (read.tcp === true) kinds.push({ type: 'tcp' })
  if (read.http !== undefined) {
    const [statusMin, statusMax] = read.http.status
    kinds.push({ type: 'http', path: read.http.path, host: read.http.host ?? '', statusMin, statusMax })
  }
  if (read.grpc !== undefined) kinds.push({ type: 'grpc', service: read.grpc.service })
  if (read.script !== undefined) kinds.push({ type: 'script', command: read.script })
  if (kinds.length !== 1) {
    if (!['tcp', 'http', 'grpc', 'script'].some((kind) => read.given.has(kind)) || kinds.length > 1)
      source.report(
        at,
        kinds.length > 1
          ? 'has more than one of tcp, http, grpc, script: keep one'
          : 'lacks one of tcp, http, grpc, script',
      )
    return invalid
  }
  const { interval: intervalMs, timeout: timeoutMs, healthyAfter, unhealthyAfter } = read
  return { check: kinds[0]!, intervalMs, timeoutMs, healthyAfter, unhealthyAfter }
}

const checkShort: Schema<ActiveCheckSettings> = mapped(
  scalar<ActiveCheckKind>(
    { type: '`tcp` | `grpc` | a path', json: { type: 'string' } },
    (value): ActiveCheckKind | Refusal => {
      if (value === 'tcp') return { type: 'tcp' }
      if (value === 'grpc') return { type: 'grpc', service: '' }
      if (value.startsWith('/')) return { type: 'http', path: value, host: '', statusMin: 200, statusMax: 399 }
      return refuse('write tcp, grpc, or the path of an HTTP check')
    },
  ),
  (check): ActiveCheckSettings => ({ check, intervalMs: 5_000, timeoutMs: 2_000, healthyAfter: 2, unhealthyAfter: 3 }),
)

/** Active checks: `tcp`, `grpc`, a path, or in full. */
export const activeCheck: Schema<ActiveCheckSettings> = either(checkShort, mapped(checkFields, checkOf))
