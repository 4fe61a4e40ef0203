import type { Prng } from '../../base/index.ts'
import type { Random } from '../index.ts'
import type { Kernel } from './kernel.ts'

/** An inclusive range, in milliseconds, to draw a delay from. */
export type DelayRangeMs = readonly [min: number, max: number]

/** A stream of the simulation's seed. Each draw goes into the fingerprint of the run. */
export class SimulatedRandom implements Random {
  private readonly kernel: Kernel
  private readonly path: string
  private readonly prng: Prng
  /** How often each label was forked, so that a second fork by one name is another stream. */
  private readonly forks = new Map<string, number>()

  constructor(kernel: Kernel, path: string) {
    this.kernel = kernel
    this.path = path
    this.prng = kernel.prng(path)
  }

  uint32(): number {
    return this.noted(this.prng.uint32())
  }

  below(bound: number): number {
    return this.noted(this.prng.below(bound))
  }

  float(): number {
    const draw = this.prng.float()
    this.noted(draw * 0x1_0000_0000)
    return draw
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    for (let i = 0; i < length; i++) bytes[i] = this.prng.uint32()
    this.noted(bytes[0] ?? 0)
    return bytes
  }

  fork(label: string): SimulatedRandom {
    const count = this.forks.get(label) ?? 0
    this.forks.set(label, count + 1)
    return new SimulatedRandom(this.kernel, `${this.path}/${label}#${count}`)
  }

  delayMs(range: DelayRangeMs): number {
    return range[0] + (range[1] - range[0]) * this.float()
  }

  /** True with this probability. Draws nothing when it is certain. */
  chance(probability: number): boolean {
    return probability > 0 && (probability >= 1 || this.float() < probability)
  }

  private noted(draw: number): number {
    this.kernel.mix(draw)
    this.kernel.drawListener?.(this.path, draw)
    return draw
  }
}
