/**
 * Every setting of `synod node`: etcd's own flag names, so that an operator's unit files carry over. A flag `--data-dir`
 * is also the environment variable `ETCD_DATA_DIR` and the YAML key `data-dir`.
 */
export type SettingKind =
  /** Any text. */
  | 'text'
  /** One of the words in `choices`. */
  | 'choice'
  /** A whole number from `min` to `max`. */
  | 'integer'
  /** Comma-separated URLs. */
  | 'urls'
  /** `name=url,name=url,…` */
  | 'cluster'
  /** A duration as Go writes it (`5s`, `10m`, `1h30m`), or a whole number with a unit given by the setting. */
  | 'retention'
  /** `true` or `false`; the bare flag means true. */
  | 'boolean'

export interface Setting {
  readonly flag: string
  readonly kind: SettingKind
  readonly fallback: string
  readonly help: string
  readonly choices?: readonly string[]
  readonly min?: number
  readonly max?: number
}

const uint32Max = 4_294_967_295

export const settings = [
  { flag: 'name', kind: 'text', fallback: 'default', help: 'This member’s name, as it stands in --initial-cluster.' },
  { flag: 'data-dir', kind: 'text', fallback: '', help: 'Where the member keeps its data (default: NAME.synod).' },
  {
    flag: 'listen-client-urls',
    kind: 'urls',
    fallback: 'http://127.0.0.1:2379',
    help: 'Where clients are served: gRPC and HTTP on one port.',
  },
  {
    flag: 'advertise-client-urls',
    kind: 'urls',
    fallback: '',
    help: 'What clients are told to connect to (default: the listen URLs).',
  },
  {
    flag: 'listen-peer-urls',
    kind: 'urls',
    fallback: 'http://127.0.0.1:2380',
    help: 'Where the other members reach this one.',
  },
  {
    flag: 'initial-advertise-peer-urls',
    kind: 'urls',
    fallback: '',
    help: 'What the other members are told to connect to (default: the listen URLs).',
  },
  {
    flag: 'initial-cluster',
    kind: 'cluster',
    fallback: '',
    help: 'All members at the start, this one included: n1=http://…,n2=http://… (default: this one alone).',
  },
  {
    flag: 'initial-cluster-token',
    kind: 'text',
    fallback: 'etcd-cluster',
    help: 'Keeps clusters with the same addresses apart: it goes into all ids.',
  },
  {
    flag: 'initial-cluster-state',
    kind: 'choice',
    choices: ['new', 'existing'],
    fallback: 'new',
    help: 'new: found the cluster. existing: join a running one, to which this member was added (synod member add).',
  },
  {
    flag: 'force-new-cluster',
    kind: 'boolean',
    fallback: 'false',
    help: 'Make a new cluster of this member alone, after a majority was lost for good; for one start only. See synod recover --help.',
  },
  {
    flag: 'consensus',
    kind: 'choice',
    choices: ['raft', 'paxos'],
    fallback: 'raft',
    help: 'The consensus algorithm, the same on all members; a data directory keeps the one it began with. (Synod’s own.)',
  },
  {
    flag: 'lease-reads',
    kind: 'boolean',
    fallback: 'false',
    help: 'Linearizable reads by the leader’s lease: faster, and right only while clocks run alike. On all members or none. (Synod’s own.)',
  },
  {
    flag: 'heartbeat-interval',
    kind: 'integer',
    min: 10,
    max: 10_000,
    fallback: '100',
    help: 'Milliseconds between a leader’s heartbeats.',
  },
  {
    flag: 'election-timeout',
    kind: 'integer',
    min: 50,
    max: 50_000,
    fallback: '1000',
    help: 'Milliseconds of silence after which a follower seeks election. At least 5 heartbeats.',
  },
  {
    flag: 'snapshot-count',
    kind: 'integer',
    min: 1,
    max: 1_000_000_000,
    fallback: '10000',
    help: 'Entries between snapshots, at least; a snapshot also waits until the log has grown by 64 MiB.',
  },
  {
    flag: 'quota-backend-bytes',
    kind: 'integer',
    min: -1,
    max: Number.MAX_SAFE_INTEGER,
    fallback: '0',
    help: 'Data size at which the NOSPACE alarm is raised. 0: 2 GiB. -1: no quota.',
  },
  {
    flag: 'max-request-bytes',
    kind: 'integer',
    min: 1024,
    max: 64 * 1024 * 1024,
    fallback: '1572864',
    help: 'The largest client request.',
  },
  {
    flag: 'max-txn-ops',
    kind: 'integer',
    min: 1,
    max: 1_000_000,
    fallback: '128',
    help: 'The most operations in one branch of a transaction.',
  },
  {
    flag: 'max-concurrent-streams',
    kind: 'integer',
    min: 1,
    max: uint32Max,
    fallback: String(uint32Max),
    help: 'The most open streams (requests) of one client connection.',
  },
  {
    flag: 'auto-compaction-mode',
    kind: 'choice',
    choices: ['periodic', 'revision'],
    fallback: 'periodic',
    help: 'How --auto-compaction-retention is read: a duration, or a number of revisions.',
  },
  {
    flag: 'auto-compaction-retention',
    kind: 'retention',
    fallback: '0',
    help: 'How much history is kept: 1h30m (periodic; a bare number means hours) or 1000 (revision). 0: all.',
  },
  {
    flag: 'log-level',
    kind: 'choice',
    choices: ['debug', 'info', 'warn', 'error'],
    fallback: 'info',
    help: 'The least severe log lines written to standard error.',
  },
  {
    flag: 'log-format',
    kind: 'choice',
    choices: ['json', 'console'],
    fallback: 'json',
    help: 'json: one object a line. console: text for people.',
  },
  {
    flag: 'config-file',
    kind: 'text',
    fallback: '',
    help: 'A YAML file with these settings, each under its flag’s name.',
  },
  {
    flag: 'insecure',
    kind: 'boolean',
    fallback: 'false',
    help: 'Allow listening off loopback without TLS. (Synod’s own; not an etcd flag.)',
  },
] as const satisfies readonly Setting[]

export type SettingName = (typeof settings)[number]['flag']

/** etcd's settings that are known here and not carried out yet: each is refused by name. */
export const settingsNotCarriedOut: ReadonlySet<string> = new Set(
  `wal-dir initial-election-tick-advance listen-client-http-urls max-snapshots max-wals memory-mlock
  backend-bbolt-freelist-type backend-batch-interval backend-batch-limit grpc-keepalive-min-time
  grpc-keepalive-interval grpc-keepalive-timeout socket-reuse-port socket-reuse-address enable-grpc-gateway
  raft-read-timeout raft-write-timeout feature-gates discovery discovery-token discovery-endpoints
  discovery-dial-timeout discovery-request-timeout discovery-keepalive-time discovery-keepalive-timeout
  discovery-insecure-transport discovery-insecure-skip-tls-verify discovery-cert discovery-key discovery-cacert
  discovery-user discovery-password discovery-fallback discovery-proxy discovery-srv discovery-srv-name
  strict-reconfig-check pre-vote cert-file key-file client-cert-auth client-cert-file client-key-file client-crl-file
  client-cert-allowed-hostname trusted-ca-file auto-tls peer-cert-file peer-key-file peer-client-cert-auth
  peer-client-cert-file peer-client-key-file peer-trusted-ca-file peer-cert-allowed-cn peer-cert-allowed-hostname
  peer-auto-tls self-signed-cert-validity peer-crl-file cipher-suites cors host-whitelist tls-min-version
  tls-max-version auth-token bcrypt-cost auth-token-ttl enable-pprof metrics listen-metrics-urls logger log-outputs
  enable-log-rotation log-rotation-config-json warning-unary-request-duration enable-distributed-tracing
  distributed-tracing-address distributed-tracing-service-name distributed-tracing-instance-id
  distributed-tracing-sampling-rate corrupt-check-time compact-hash-check-time compaction-batch-limit
  peer-skip-client-san-verification watch-progress-notify-interval warning-apply-duration
  bootstrap-defrag-threshold-megabytes max-learners compaction-sleep-interval downgrade-check-time
  snapshot-catchup-entries unsafe-no-fsync client-transport-security peer-transport-security
  log-package-levels debug enable-v2 v2-deprecation proxy`.split(/\s+/),
)

/** The environment variable of a setting: etcd's own. */
export function variableOf(flag: string): string {
  return `ETCD_${flag.toUpperCase().replaceAll('-', '_')}`
}

export function isSetting(name: string): name is SettingName {
  return settings.some((setting) => setting.flag === name)
}

/** experimental-… names, which etcd 3.6 still takes for some settings. */
export function isKnownElsewhere(name: string): boolean {
  return settingsNotCarriedOut.has(name) || name.startsWith('experimental-')
}
