/** The texts of `synod proxy --help` and of `synod proxy COMMAND --help`. */
function rows(lines: readonly (readonly [string, string])[], width = 42): string {
  return lines.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}

export const proxyHelp = `synod proxy: a reverse proxy that reads the registry

Usage: synod proxy COMMAND

Serve
${rows([
  ['run [--config] FILE', 'Serve as the file says; read again when it changes, and on SIGHUP.'],
  ['run --config-key KEY --registry CONN', 'The same from the key-value store, by watch.'],
  ['  --workers N, --single-process, --json', 'Other than the file says; all in one process; logs as JSON.'],
  ['  --log-level LEVEL', 'debug, info (default), warn or error.'],
  ['status --admin HOST:PORT [--json]', 'Workers, listeners, upstreams and their endpoints.'],
  ['reload --admin HOST:PORT', 'Read the configuration again; status 1 and the reasons when it was refused.'],
  ['drain --admin HOST:PORT', 'Finish what is under way, and end.'],
])}

Configuration
${rows([
  ['check FILE', 'Validate all of it, with lines and columns; tell what it would serve.'],
  ['import nginx FILE', 'Read an nginx file, and say what could not be carried over.'],
])}

On nginx and HAProxy
${rows([
  ['render nginx|haproxy FILE', 'Write their configuration from the same file.'],
  ['sync nginx|haproxy --config FILE --out PATH', 'Keep a running engine in step with file and registry.'],
])}

  synod proxy check|import|render|sync --help tells more.
  docs/traffic/proxy-configuration.md describes the file.

Exit status is 0, or 1 when a configuration is wrong (its problems are printed), 2 for a wrong command line.

Examples
  synod proxy check proxy.yaml
  synod proxy run --config proxy.yaml
  synod proxy import nginx /etc/nginx/nginx.conf -o proxy.yaml
  synod proxy sync nginx --config proxy.yaml --out /etc/nginx/nginx.conf --pid-file /run/nginx.pid`

const checkHelp = `synod proxy check: validates a configuration as a whole

Usage: synod proxy check FILE [--json]       FILE may be - for standard input
       synod proxy check --schema

Tells all that is wrong, as file:line:column path: message, and warns of what is odd; else what it would serve.
Certificates and other files that it names are read; names are not looked up, and nothing is listened at.

${rows(
  [
    ['--json', 'One object: {ok, file, problems, warnings}; each of those {line, column, path, message}.'],
    ['--schema', 'Print the JSON Schema of the file, for editors.'],
  ],
  28,
)}

Exit status is 0 when it is good (also with warnings), 1 when it is wrong, 2 for a wrong command line.

Examples
  synod proxy check proxy.yaml
  synod proxy check --json - < proxy.yaml
  synod proxy check --schema > synod-proxy.schema.json`

const importHelp = `synod proxy import: an nginx configuration as ours

Usage: synod proxy import nginx FILE [-o OUT] [flags]

Reads a whole nginx.conf, or the file of a site, with all that it includes. What is not carried over, or is otherwise
here, is told on standard error, and in comments at the top of the result; a request that met it gets 404, and 403
where it would have been asked who it is (auth_basic, allow, auth_request). The result always passes synod proxy check,
but for certificates that are elsewhere.

${rows(
  [
    ['-o, --output OUT', 'Write the result there (default: standard output).'],
    ['--skip-missing', 'Leave out includes whose file is not there, and tell so (default: an error).'],
    ['--json', 'One object: {ok, file, notes, yaml}, without yaml with -o; or {ok: false, file, problems}.'],
    ['', 'Notes are {file, line, directive, why}, problems {file, line, message}.'],
  ],
  28,
)}

Exit status is 0 when there is a result (read the notes), 1 when the file is no nginx configuration or holds no server.

Example
  synod proxy import nginx /etc/nginx/nginx.conf -o proxy.yaml && synod proxy check proxy.yaml`

const renderHelp = `synod proxy render: the same configuration for nginx 1.22 or HAProxy 2.6

Usage: synod proxy render nginx|haproxy FILE [-o OUT] [flags]

Endpoints from DNS, files and the registry are those of the moment; they must be known within 10 seconds. What the engine
cannot do is told on standard error, and in comments at the top of the result.

${rows(
  [
    ['-o, --output OUT', 'Write the result there (default: standard output).'],
    ['--registry CONN', 'Where services are registered (default: as the file says).'],
    ['--pid-file PATH', 'Where the engine writes its process id.'],
    ['--nginx-modules FOLDER', 'Of the stream module (default /usr/lib/nginx/modules).'],
    ['--pem-folder FOLDER', 'HAProxy: write each certificate and its key in one file there (mode 0600).'],
    ['--json', 'One object: {ok, engine, file, warnings, text}, without text with -o;'],
    ['', 'or {ok: false, engine, file, problems}, as of check.'],
  ],
  28,
)}

Exit status is 0, or 1 when the configuration is wrong or endpoints are not known, 2 for a wrong command line.

Examples
  synod proxy render nginx proxy.yaml -o nginx.conf && nginx -t -c "$PWD/nginx.conf"
  synod proxy render haproxy proxy.yaml --pem-folder /etc/haproxy/certs -o /etc/haproxy/haproxy.cfg`

const syncHelp = `synod proxy sync: keeps a running nginx or HAProxy in step with a configuration and the registry

Usage: synod proxy sync nginx|haproxy --config FILE --out PATH (--pid-file PATH | --reload-command COMMAND) [flags]

When endpoints come or go, or FILE changes (or on SIGHUP), the engine's configuration is rendered, checked by the
engine itself, put in the place of PATH in one step, and loaded. A burst of changes is one reload, and there is at most
one a second. What the engine refuses never reaches PATH; when it cannot load what it accepted, the one before is put
back and loaded. A round that was cut off is made up for at the next start. Runs until SIGTERM or SIGINT; a round under
way ends first. PATH is nobody else's.

${rows(
  [
    ['--config FILE', 'What synod proxy check validates. A wrong one is told, and changes nothing.'],
    ['--out PATH', 'The file that the engine runs with.'],
    ['--pid-file PATH', 'Of its master: SIGHUP for nginx, SIGUSR2 for HAProxy (started with -W).'],
    ['--reload-command COMMAND', 'Reload so instead, by /bin/sh; status 0 is success.'],
    ['--program PATH', 'The engine, for its own check (default nginx or haproxy).'],
    ['--registry CONN', 'Where services are registered (default: as the file says).'],
    ['--nginx-modules FOLDER', 'Of the stream module (default /usr/lib/nginx/modules).'],
    ['--pem-folder FOLDER', 'HAProxy: write each certificate and its key in one file there (mode 0600).'],
    ['--json', 'One object a round: {result}, which is unchanged (nothing to do), reloaded (with warnings),'],
    ['', 'refused (with reason; the engine is untouched), or rolled-back (with reason; and with'],
    ['', 'restored, what went wrong, when the one before could not be loaded again either).'],
  ],
  28,
)}

Exit status is 0 after a signal, 1 when the configuration is wrong at the start or endpoints are not known in 10 seconds.

Examples
  synod proxy sync nginx --config proxy.yaml --out /etc/nginx/nginx.conf --pid-file /run/nginx.pid
  synod proxy sync haproxy --config proxy.yaml --out /etc/haproxy/haproxy.cfg --reload-command 'systemctl reload haproxy'`

/** By command of the proxy; the others are told by {@link proxyHelp}. */
export const proxyCommandHelp: Readonly<Record<string, string>> = {
  check: checkHelp,
  import: importHelp,
  render: renderHelp,
  sync: syncHelp,
}
