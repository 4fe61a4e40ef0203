/**
 * What /metrics says. Names that etcd has keep its meaning; what etcd has no name for begins with `synod_`. Nothing is
 * reported that nobody measured: an undefined value leaves its family out.
 */
import type { CoordinationEngine, LessorStats, WatchHubStats } from '../../../engine/coordination/index.ts'
import { type GrpcServerCounters, GrpcStatusCode } from '../../grpc/index.ts'
import { type HistogramSnapshot, PrometheusText, type Sample } from '../../prometheus/index.ts'
import { etcdErrors } from '../errors.ts'
import { etcdClusterVersion, etcdVersion, synodVersion } from '../versions.ts'

/** What only the process that hosts everything can measure. */
export interface NodeMetrics {
  /** The consensus algorithm: raft or paxos. */
  readonly consensus?: string | undefined
  readonly leaderChanges?: number | undefined
  readonly proposalsPending?: number | undefined
  readonly proposalsFailed?: number | undefined
  readonly readIndexesFailed?: number | undefined
  /** In seconds. */
  readonly walSyncSeconds?: HistogramSnapshot | undefined
  readonly walBytesWritten?: number | undefined
  readonly peerBytesSent?: number | undefined
  readonly peerBytesReceived?: number | undefined
  readonly cpuSeconds?: number | undefined
  readonly residentBytes?: number | undefined
  readonly virtualBytes?: number | undefined
  readonly heapUsedBytes?: number | undefined
  readonly openFileDescriptors?: number | undefined
  readonly maxFileDescriptors?: number | undefined
  /** Unix time. */
  readonly startTimeSeconds?: number | undefined
  /** The longest time since the start in which the event loop did not turn. */
  readonly longestLoopStallSeconds?: number | undefined
  /** How late the event loop was, sampled. */
  readonly loopDelaySeconds?: HistogramSnapshot | undefined
}

export interface MetricsSource {
  readonly engine: CoordinationEngine
  readonly watch: () => WatchHubStats
  readonly leases: () => LessorStats
  readonly grpc: () => GrpcServerCounters
  readonly node: () => NodeMetrics
  readonly health: () => { readonly successes: number; readonly failures: number }
}

/** The page in Prometheus' text format. */
export function metricsPage(source: MetricsSource): string {
  const text = new PrometheusText()
  const node = source.node()
  consensus(text, source, node)
  storage(text, source, node)
  watchesAndLeases(text, source)
  calls(text, source.grpc())
  network(text, node)
  processAndLoop(text, node)
  return text.toString()
}

function consensus(text: PrometheusText, { engine, health }: MetricsSource, node: NodeMetrics): void {
  const { group } = engine.status()
  const memberId = BigInt.asUintN(64, engine.memberId).toString(16)
  const checks = health()
  text.gauge('etcd_server_has_leader', 'Whether a leader is known: 1, or 0.', flag(engine.hasLeader))
  text.gauge('etcd_server_is_leader', 'Whether this member leads: 1, or 0.', flag(group.role === 'leader'))
  text.gauge('etcd_server_is_learner', 'Whether this member is a learner: 1, or 0.', flag(engine.isLearner))
  promotions(text, engine)
  text.counter('etcd_server_leader_changes_seen_total', 'Changes of leader seen.', node.leaderChanges)
  text.gauge('etcd_server_proposals_committed_total', 'The index of the last entry committed.', group.commitIndex)
  text.gauge('etcd_server_proposals_applied_total', 'The index of the last entry applied.', group.appliedIndex)
  text.gauge('etcd_server_proposals_pending', 'Proposals without an answer.', node.proposalsPending)
  text.counter('etcd_server_proposals_failed_total', 'Proposals that failed.', node.proposalsFailed)
  text.counter('etcd_server_read_indexes_failed_total', 'Read indexes that failed.', node.readIndexesFailed)
  text.counter('etcd_server_health_success', 'Health checks passed.', checks.successes)
  text.counter('etcd_server_health_failures', 'Health checks failed.', checks.failures)
  text.gauge('etcd_server_id', 'The member id, in hexadecimal.', [{ labels: { server_id: memberId }, value: 1 }])
  text.gauge('etcd_server_version', 'The version of etcd that is followed.', version('server_version', etcdVersion))
  text.gauge('etcd_cluster_version', 'The version of the cluster.', version('cluster_version', etcdClusterVersion))
  text.gauge('synod_version', 'The version that is running.', version('version', synodVersion))
  const { consensus } = node
  const algorithm = consensus === undefined ? undefined : [{ labels: { algorithm: consensus }, value: 1 }]
  text.gauge('synod_consensus', 'The consensus algorithm that is running.', algorithm)
  text.gauge('synod_raft_term', 'The present term.', group.term)
  text.gauge('synod_raft_last_index', 'The last index in the log of this member.', group.lastIndex)
}

/** etcd names the reason by the error's text. */
function promotions(text: PrometheusText, { promotions: { succeeded, failed } }: CoordinationEngine): void {
  const failures = [...failed].map(([code, value]) => ({ labels: { Reason: etcdErrors[code].message }, value }))
  text.counter('etcd_server_learner_promote_successes', 'Promotions asked for here that succeeded.', succeeded)
  text.counter('etcd_server_learner_promote_failures', 'Promotions asked for here that failed.', failures)
}

function storage(text: PrometheusText, { engine }: MetricsSource, node: NodeMetrics): void {
  const status = engine.status()
  const { sizeBytes, sizeInUseBytes, quotaBytes } = status
  const total = 'Bytes of memory allocated for the key space.'
  text.gauge('etcd_mvcc_db_total_size_in_bytes', total, sizeBytes)
  text.gauge('etcd_mvcc_db_total_size_in_use_in_bytes', 'Bytes of the key space in use.', sizeInUseBytes)
  text.gauge('etcd_server_quota_backend_bytes', 'The quota of the key space in bytes.', quotaBytes)
  text.gauge('etcd_debugging_mvcc_keys_total', 'Keys that are live.', engine.store.keyCount)
  text.gauge('etcd_debugging_mvcc_current_revision', 'The newest revision.', status.revision)
  text.gauge('etcd_debugging_mvcc_compact_revision', 'The revision of the last compaction.', status.compactedRevision)
  const syncHelp = 'How long the write-ahead log takes to make a batch durable.'
  text.histogram('etcd_disk_wal_fsync_duration_seconds', syncHelp, node.walSyncSeconds)
  text.gauge('etcd_disk_wal_write_bytes_total', 'Bytes written to the write-ahead log.', node.walBytesWritten)
  text.gauge('synod_alarms', 'Alarms raised.', status.alarms.length)
}

function watchesAndLeases(text: PrometheusText, source: MetricsSource): void {
  const watch = source.watch()
  const leases = source.leases()
  text.gauge('etcd_debugging_mvcc_watch_stream_total', 'Watch streams.', watch.streams)
  text.gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', watch.watchers)
  text.gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watchers that are behind.', watch.slowWatchers)
  text.counter('etcd_debugging_mvcc_events_total', 'Events sent to watchers.', watch.eventsTotal)
  text.counter('etcd_debugging_lease_granted_total', 'Leases granted.', leases.granted)
  text.counter('etcd_debugging_lease_revoked_total', 'Leases revoked.', leases.revoked)
  text.counter('etcd_debugging_lease_renewed_total', 'Leases renewed by this member as leader.', leases.renewed)
  text.counter('etcd_debugging_server_lease_expired_total', 'Leases expired by this member as leader.', leases.expired)
  text.gauge('synod_leases', 'Leases that exist.', source.engine.leases.count)
}

/** The names of the status codes as grpc-go's metrics have them, by number. */
const codeNames = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
]

const streamTypes: Readonly<Record<string, string>> = {
  '/etcdserverpb.Watch/Watch': 'bidi_stream',
  '/etcdserverpb.Lease/LeaseKeepAlive': 'bidi_stream',
  '/etcdserverpb.Maintenance/Snapshot': 'server_stream',
  '/grpc.health.v1.Health/Watch': 'server_stream',
  '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': 'bidi_stream',
  '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': 'bidi_stream',
}

function calls(text: PrometheusText, counters: GrpcServerCounters): void {
  const handled: Sample[] = []
  let unknown = 0
  for (const { path, status, count } of counters.finished) {
    const [, grpc_service, grpc_method] = path.split('/')
    if (grpc_service === undefined || grpc_method === undefined) {
      unknown += count
      continue
    }
    const grpc_code = codeNames[status] ?? codeNames[GrpcStatusCode.unknown] ?? ''
    const grpc_type = streamTypes[path] ?? 'unary'
    handled.push({ labels: { grpc_code, grpc_method, grpc_service, grpc_type }, value: count })
  }
  text.counter('grpc_server_handled_total', 'RPCs completed, by outcome.', handled)
  const received = 'Bytes received from gRPC clients.'
  text.counter('etcd_network_client_grpc_received_bytes_total', received, counters.bytesReceived)
  text.counter('etcd_network_client_grpc_sent_bytes_total', 'Bytes sent to gRPC clients.', counters.bytesSent)
  text.counter('synod_grpc_connections_accepted_total', 'gRPC connections accepted.', counters.connectionsAccepted)
  text.gauge('synod_grpc_connections', 'gRPC connections open.', counters.connectionsOpen)
  text.gauge('synod_grpc_streams', 'RPCs in progress.', counters.streamsOpen)
  text.counter('synod_grpc_unknown_method_total', 'Requests for methods that do not exist.', unknown)
}

function network(text: PrometheusText, node: NodeMetrics): void {
  text.counter('synod_peer_sent_bytes_total', 'Bytes sent to other members.', node.peerBytesSent)
  text.counter('synod_peer_received_bytes_total', 'Bytes received from other members.', node.peerBytesReceived)
}

function processAndLoop(text: PrometheusText, node: NodeMetrics): void {
  text.counter('process_cpu_seconds_total', 'CPU time, user and system, in seconds.', node.cpuSeconds)
  text.gauge('process_resident_memory_bytes', 'Resident memory in bytes.', node.residentBytes)
  text.gauge('process_virtual_memory_bytes', 'Virtual memory in bytes.', node.virtualBytes)
  text.gauge('process_open_fds', 'Open file descriptors.', node.openFileDescriptors)
  text.gauge('process_max_fds', 'The limit of open file descriptors.', node.maxFileDescriptors)
  text.gauge('process_start_time_seconds', 'When the process started, in Unix time.', node.startTimeSeconds)
  text.gauge('synod_heap_used_bytes', 'JavaScript heap in use, in bytes.', node.heapUsedBytes)
  const stall = 'The longest time in which the event loop did not turn, since the start.'
  text.gauge('synod_event_loop_longest_stall_seconds', stall, node.longestLoopStallSeconds)
  text.histogram('synod_event_loop_delay_seconds', 'How late the event loop was.', node.loopDelaySeconds)
}

function flag(value: boolean): number {
  return value ? 1 : 0
}

function version(label: string, value: string): readonly Sample[] {
  return [{ labels: { [label]: value }, value: 1 }]
}
