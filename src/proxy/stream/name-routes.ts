import type { TlsPassthroughListenerConfig } from '../config/index.ts'

/** Upstreams by server name: exact names first, then the longest `*.suffix`, then the default. */
export class NameRoutes {
  private readonly exact = new Map<string, string>()
  /** By suffix with its dot, `.shop.example`. `*.` stands for one label or more. */
  private readonly suffixes = new Map<string, string>()
  private readonly otherwise: string | undefined

  constructor(config: Pick<TlsPassthroughListenerConfig, 'names' | 'defaultUpstream'>) {
    this.otherwise = config.defaultUpstream
    for (const { names, upstream } of config.names) {
      for (const name of names) {
        const lower = name.toLowerCase()
        const [table, key] = lower.startsWith('*.') ? [this.suffixes, lower.slice(1)] : [this.exact, lower]
        // As with routes: what is written first wins.
        if (!table.has(key)) table.set(key, upstream)
      }
    }
  }

  /** The upstream's name; undefined: close. `serverName` is in lower case. */
  find(serverName: string | undefined): string | undefined {
    if (serverName === undefined) return this.otherwise
    const exact = this.exact.get(serverName)
    if (exact !== undefined) return exact
    for (let dot = serverName.indexOf('.'); dot >= 0; dot = serverName.indexOf('.', dot + 1)) {
      const upstream = this.suffixes.get(serverName.slice(dot))
      if (upstream !== undefined) return upstream
    }
    return this.otherwise
  }
}
