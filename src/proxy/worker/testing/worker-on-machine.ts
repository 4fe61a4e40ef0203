/** A worker on the machine that the test runs on: real sockets, files, names, commands. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import {
  createNodeRuntime,
  createPortOpener,
  createTlsNetwork,
  NodeAppendFiles,
  NodeCommands,
  NodeNameService,
  NodeTextFiles,
} from '../../../runtime/node/index.ts'
import { type ProxyConfig, parseProxyConfig } from '../../config/index.ts'
import { type ProxyWorker, startWorker, type WorkerOutside } from '../index.ts'

/** What `text` says, which must be right. `folder`: where the files that it names lie. */
export function configOf(text: string, folder = '.'): ProxyConfig {
  const parsed = parseProxyConfig(text, { file: join(folder, 'proxy.yaml') })
  assert.ok(parsed.ok, JSON.stringify(parsed.ok ? '' : parsed.problems))
  return parsed.config
}

export function machine(): WorkerOutside {
  const runtime = createNodeRuntime({ logLevel: 'error', packsReads: true })
  return {
    ...runtime,
    ports: createPortOpener(),
    appendFiles: new NodeAppendFiles(runtime.logger),
    tlsNetwork: (options) => createTlsNetwork(options),
    files: new NodeTextFiles(),
    names: new NodeNameService(),
    commands: new NodeCommands(),
  }
}

/** The caller stops it. */
export function startOnMachine(text: string, folder = '.'): Promise<ProxyWorker> {
  return startWorker(configOf(text, folder), machine())
}
