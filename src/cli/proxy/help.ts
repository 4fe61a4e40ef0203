/** The text of `synod proxy --help`. */
const width = 42

function rows(lines: readonly (readonly [string, string])[]): string {
  return lines.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}

export const proxyHelp = `synod proxy: a reverse proxy that reads the registry

Usage: synod proxy COMMAND

Serve
${rows([
  ['run --config FILE', 'Serve as the file says; read again when it changes, and on SIGHUP.'],
  ['run --config-key KEY --registry CONN', 'The same from the key-value store, by watch.'],
  ['  --workers N, --single-process, --json', 'Other than the file says; all in one process; logs as JSON.'],
  ['status --admin HOST:PORT [--json]', 'Workers, listeners, upstreams and their endpoints.'],
  ['reload --admin HOST:PORT', 'Read the configuration again.'],
  ['drain --admin HOST:PORT', 'Finish what is under way, and end.'],
])}

Configuration
${rows([
  ['check FILE [--json]', 'Validate all of it, with lines and columns; tell what it would serve.'],
  ['check --schema', 'Print the JSON Schema, for editors.'],
  ['import nginx FILE [-o OUT]', 'Read an nginx file, and say what could not be carried over.'],
])}

On nginx and HAProxy
${rows([
  ['render nginx|haproxy FILE [-o OUT]', 'Write their configuration from the same file.'],
  ['  --registry CONN', 'Where services are registered (default: as the file says).'],
  ['  --pid-file PATH', 'Where the engine writes its process id.'],
  ['  --nginx-modules FOLDER', 'Of the stream module (default /usr/lib/nginx/modules).'],
  ['  --pem-folder FOLDER', 'HAProxy: write certificate and key in one file there.'],
  ['sync nginx|haproxy --config FILE --out PATH', 'Keep a running engine in step with the registry.'],
  ['  --pid-file PATH', 'Of its master: SIGHUP for nginx, SIGUSR2 for HAProxy (started with -W).'],
  ['  --reload-command COMMAND', 'Reload so instead; status 0 is success.'],
  ['  --program PATH', 'The engine, for its own check (default nginx or haproxy).'],
  ['  --json', 'One JSON object a round.'],
])}

docs/traffic/proxy-configuration.md describes the file.

Exit status is 0, or 1 when a configuration is wrong (its problems are printed), 2 for a wrong command line.

Examples
  synod proxy check proxy.yaml
  synod proxy run --config proxy.yaml
  synod proxy import nginx /etc/nginx/nginx.conf -o proxy.yaml
  synod proxy sync nginx --config proxy.yaml --out /etc/nginx/nginx.conf --pid-file /run/nginx.pid`
