/** What becomes of directives that nothing here reads: nothing is lost, or why, and what to do. */

import type { Directive } from './nginx-syntax.ts'

/** Of no use to a proxy that streams, and knows no worker connections, hash tables and buffers of nginx's kind. */
const needless = new Set(
  `absolute_redirect accept_mutex aio break charset client_body_buffer_size client_body_in_file_only client_body_in_single_buffer
  client_body_temp_path client_header_buffer_size connection_pool_size daemon debug_connection default_type directio env
  error_log etag events fastcgi_temp_path grpc_buffer_size grpc_read_timeout grpc_send_timeout grpc_socket_keepalive grpc_ssl_server_name
  grpc_ssl_session_reuse http2 http2_body_preread_size http2_chunk_size http2_max_field_size http2_max_header_size
  http2_recv_buffer_size ignore_invalid_headers keepalive_disable lingering_close lingering_time lingering_timeout
  load_module lock_file log_format log_not_found log_subrequest map map_hash_bucket_size map_hash_max_size master_process
  merge_slashes msie_padding multi_accept open_file_cache open_file_cache_errors open_file_cache_min_uses
  open_file_cache_valid output_buffers pcre_jit pid port_in_redirect postpone_output preread_buffer_size preread_timeout
  proxy_buffer_size proxy_buffering proxy_buffers proxy_busy_buffers_size proxy_force_ranges proxy_headers_hash_bucket_size
  proxy_headers_hash_max_size proxy_http_version proxy_ignore_client_abort proxy_max_temp_file_size
  proxy_next_upstream_timeout proxy_pass_header proxy_pass_request_headers proxy_cache_bypass proxy_no_cache proxy_protocol_timeout
  proxy_request_buffering proxy_send_timeout proxy_socket_keepalive proxy_ssl_ciphers proxy_ssl_protocols
  proxy_ssl_server_name proxy_ssl_session_reuse proxy_ssl_verify_depth proxy_temp_file_write_size proxy_temp_path quic_gso
  quic_retry real_ip_recursive request_pool_size reset_timedout_connection resolver resolver_timeout rewrite_log satisfy
  scgi_temp_path send_lowat send_timeout sendfile sendfile_max_chunk server_name_in_redirect server_names_hash_bucket_size
  server_names_hash_max_size server_tokens set ssl_buffer_size ssl_certificate ssl_certificate_key ssl_ciphers ssl_conf_command ssl_dhparam ssl_early_data
  ssl_ecdh_curve ssl_prefer_server_ciphers ssl_protocols ssl_session_cache ssl_session_ticket_key ssl_session_tickets
  ssl_session_timeout status_zone tcp_nodelay tcp_nopush thread_pool timer_resolution types types_hash_bucket_size
  types_hash_max_size underscores_in_headers user uwsgi_temp_path variables_hash_bucket_size variables_hash_max_size
  worker_aio_requests worker_connections worker_cpu_affinity worker_priority worker_rlimit_core worker_rlimit_nofile
  worker_shutdown_timeout working_directory zone`.split(/\s+/),
)

const files = 'no files are served here: let a service, or nginx behind the proxy, serve them'
const caches = 'nothing is kept: each request goes to the upstream'
const gzips = 'bodies are not compressed here: let the service do it'
const bodies = 'bodies are not changed here'
const ownPages = 'what the upstream answers goes on as it is, and the errors of the proxy itself are plain text'
const staples = 'no OCSP answers are stapled: clients ask for themselves, or go on without'
const connections =
  'connections of one client are not counted: rateLimit of a route bounds its requests, connectionsMax of the listener all'
const active = 'not carried over: see check of the upstream'
const page = 'is a page of nginx itself: status and metrics are at the admin address'

/** By the beginning of the name; the first that fits. */
const whys: readonly (readonly [RegExp, string])[] = [
  [/^expires$/, 'no Cache-Control is set: let the service do it, or responseHeaders of a route'],
  [/^(root|alias|index|autoindex|try_files|dav_|random_index)/, files],
  [/^(fastcgi|uwsgi|scgi|memcached)_/, 'speaks a protocol that the proxy does not: put an HTTP server before it'],
  [/^(proxy|grpc)_(cache|no_cache|store)|^proxy_ignore_headers$/, caches],
  [/^(gzip|gunzip|brotli|zstd)/, gzips],
  [
    /^(sub_filter|addition_|add_before_body|add_after_body|ssi|xslt_|image_filter|substitutions_|subs_filter|proxy_set_body)/,
    bodies,
  ],
  [/^(error_page|recursive_error_pages|(proxy|grpc)_intercept_errors)/, ownPages],
  [/^(ssl_stapling|ssl_trusted_certificate|ssl_ocsp)/, staples],
  [/^limit_conn/, connections],
  [/^(proxy|grpc)_bind$/, 'the system chooses the address that connections come from'],
  [/^limit_rate/, 'the speed of an answer is not bounded here'],
  [/^(health_check|check|match)/, active],
  [/^(stub_status|status|api|upstream_conf|dashboard)$/, page],
  [/^proxy_pass_request_body$/, 'the body goes on too'],
  [/^location$/, 'no location or try_files that is carried over names it: left out'],
  [/^access_log$/, 'there is one access log for all: see accessLog'],
  [/^(http3|quic|ssl_reject_handshake)/, 'not carried over'],
  [/^proxy_cookie_/, 'cookies go on as the upstream sets them'],
  [/^proxy_redirect$/, 'nothing that is carried over takes it'],
  [
    /^(js_|lua_|perl|content_by_|access_by_|rewrite_by_|header_filter_by|body_filter_by|init_by|set_by_|log_by_)/,
    'no scripts are run here',
  ],
  [/^(more_|headers_more)/, 'not carried over: see requestHeaders and responseHeaders of a route'],
  [/^(mail|rtmp)$/, 'only http and stream are carried over'],
  [
    /^(modsecurity|naxsi|SecRules|CheckRule|valid_referers|secure_link|referer_)/,
    'requests are not examined here: what it kept out gets in',
  ],
  [/^geo(ip2?)?($|_)/, 'not carried over: no route can ask where a client comes from'],
]

/** Nothing is lost without it. `block` holds it. */
export function isNeedless({ name, args }: Directive, block: readonly Directive[]): boolean {
  if (needless.has(name) || (args[0] === 'off' && !/^(access_log|auth_|ssl)/.test(name))) return true
  if (name === 'proxy_redirect') return args[0] === 'default'
  // Files are looked for where no location passes on.
  const isOfFiles = /^(root|index|try_files)$/.test(name)
  return (
    isOfFiles &&
    block.some(({ name: other, args: [path] }) => other === 'server' || (other === 'location' && path === '/'))
  )
}

export function whyNot(name: string): string {
  return whys.find(([pattern]) => pattern.test(name))?.[1] ?? 'not carried over'
}
