/** The real world, as a process of the proxy uses it. */
import { connect } from '../../client/index.ts'
import type { LogFields, LogLevel } from '../../runtime/index.ts'
import {
  createNodeRuntime,
  createPortOpener,
  createTlsNetwork,
  type LogFormat,
  NodeAppendFiles,
  NodeCommands,
  NodeNameService,
  NodeTextFiles,
} from '../../runtime/node/index.ts'
import { lazyServiceInstances, type ServiceInstances } from '../../traffic/index.ts'
import type { WorkerOutside } from '../worker/index.ts'

export interface OutsideOptions {
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly logFields?: LogFields | undefined
  /** Connection string of the plane whose registry the upstreams read. */
  readonly registry: string | undefined
}

export interface OwnedOutside extends WorkerOutside {
  /** Lets go of the registry. */
  close(): Promise<void>
}

export function createWorkerOutside(options: OutsideOptions): OwnedOutside {
  const { logLevel, logFormat, logFields, registry } = options
  const runtime = createNodeRuntime({ logLevel, logFormat, logFields, packsReads: true })
  const opened = registry === undefined ? undefined : openRegistry(registry)
  return {
    ...runtime,
    ports: createPortOpener(runtime.logger),
    appendFiles: new NodeAppendFiles(runtime.logger),
    tlsNetwork: (tls) => createTlsNetwork(tls, runtime.logger),
    files: new NodeTextFiles(),
    names: new NodeNameService(),
    commands: new NodeCommands(),
    registry: opened?.instances,
    close: async () => opened?.close(),
  }
}

/** Connected to at the first watch; a plane that cannot be reached is tried again by whoever watches. */
function openRegistry(url: string): { readonly instances: ServiceInstances; close(): Promise<void> } {
  const planes: { close(): Promise<void> }[] = []
  const instances = lazyServiceInstances(async () => {
    const plane = await connect(url)
    planes.push(plane)
    if (!('registry' in plane))
      throw new Error('the engine of this connection string has no registry: name another one')
    return plane.registry
  })
  return {
    instances,
    close: async () => {
      for (const plane of planes.splice(0)) await plane.close()
    },
  }
}
