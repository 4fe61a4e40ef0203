/**
 * What one client or server counts of its calls.
 *
 * I1. `open` is the calls begun and not ended; each ended one is in `codes` and in `seconds` once.
 */
import { Histogram } from '../../wire/prometheus/index.ts'
import type { RpcCode } from '../service/index.ts'

/** In seconds: 0.5 ms to 16 s. */
const secondsBounds = Array.from({ length: 16 }, (_, at) => 0.0005 * 2 ** at)

/** The calls of one method. */
export class MethodCounts {
  readonly service: string
  readonly method: string
  open = 0
  readonly codes = new Map<RpcCode | 'OK', number>()
  readonly seconds = new Histogram(secondsBounds)

  constructor(service: string, method: string) {
    this.service = service
    this.method = method
  }

  begin(): void {
    this.open++
  }

  end(code: RpcCode | undefined, tookMs: number): void {
    const told = code ?? 'OK'
    this.open--
    this.codes.set(told, (this.codes.get(told) ?? 0) + 1)
    this.seconds.observe(tookMs / 1_000)
  }
}

/** The methods that were called, in the order of their first calls. Only those that exist are counted: there is no bound. */
export class CallCounts {
  private readonly byName = new Map<string, MethodCounts>()

  get methods(): readonly MethodCounts[] {
    return [...this.byName.values()]
  }

  /** Kept by whoever calls often. */
  of(service: string, method: string): MethodCounts {
    const name = `${service}/${method}`
    let counts = this.byName.get(name)
    if (counts === undefined) {
      counts = new MethodCounts(service, method)
      this.byName.set(name, counts)
    }
    return counts
  }
}
