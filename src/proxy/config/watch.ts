/** A configuration kept in the key-value store. */
import type { AnyPlane } from '../../client/index.ts'
import { type ParsedConfig, type ParseOptions, parseProxyConfig } from './parse.ts'

/**
 * The configuration under `key`: first as it is, then after each change, in its newest state (changes that come while the
 * loop is busy are told once). One that is wrong, or a key that is not there, is told as `ok: false`: whoever runs a proxy
 * goes on with the last good one. Paths of files in it must be absolute.
 *
 * Ends when the loop is left, or rejects with `CANCELLED` by `signal`; connections that break are made again meanwhile.
 */
export async function* watchProxyConfig(
  plane: AnyPlane,
  key: string,
  options: Omit<ParseOptions, 'file' | 'relativeFiles'> & { readonly signal?: AbortSignal | undefined } = {},
): AsyncIterable<ParsedConfig> {
  const { signal, ...parsing } = options
  if (plane.engine === 'redis') return yield problem('Redis has no keys that could be watched: use another engine')
  if ((await plane.kv.get(key, { signal })) === undefined) yield absent(key)
  for await (const change of plane.kv.watch({ key, mode: 'latest', signal })) {
    yield change.type === 'put'
      ? parseProxyConfig(change.entry.text(), { ...parsing, file: key, relativeFiles: 'refuse' })
      : absent(key)
  }
}

function absent(key: string): ParsedConfig {
  return problem(`there is no key ${JSON.stringify(key)}: put the configuration there`)
}

function problem(message: string): ParsedConfig {
  return { ok: false, problems: [{ line: 1, column: 1, path: '', message }] }
}
