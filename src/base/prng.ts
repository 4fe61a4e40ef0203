/**
 * xoshiro128** 1.1 (Blackman and Vigna, 2018): a small, fast, seedable generator of 32-bit numbers with period
 * 2^128 - 1. Not for secrets.
 */
export class Prng {
  private a: number
  private b: number
  private c: number
  private d: number

  /** The same `seed` text gives the same stream, everywhere. */
  constructor(seed: string) {
    // Four rounds of cyrb128-style mixing spread the seed's bytes over the state.
    let h1 = 1779033703
    let h2 = 3144134277
    let h3 = 1013904242
    let h4 = 2773480762
    for (let i = 0; i < seed.length; i++) {
      const unit = seed.charCodeAt(i)
      h1 = h2 ^ Math.imul(h1 ^ unit, 597399067)
      h2 = h3 ^ Math.imul(h2 ^ unit, 2869860233)
      h3 = h4 ^ Math.imul(h3 ^ unit, 951274213)
      h4 = h1 ^ Math.imul(h4 ^ unit, 2716044179)
    }
    this.a = Math.imul(h3 ^ (h1 >>> 18), 597399067) >>> 0
    this.b = Math.imul(h4 ^ (h2 >>> 22), 2869860233) >>> 0
    this.c = Math.imul(h1 ^ (h3 >>> 17), 951274213) >>> 0
    this.d = (Math.imul(h2 ^ (h4 >>> 19), 2716044179) | 1) >>> 0
    for (let i = 0; i < 16; i++) this.uint32()
  }

  uint32(): number {
    const product = Math.imul(this.b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const t = this.b << 9
    this.c ^= this.a
    this.d ^= this.b
    this.b ^= this.c
    this.a ^= this.d
    this.c ^= t
    this.d = (this.d << 11) | (this.d >>> 21)
    return result
  }

  /** Uniform over 0 to `bound - 1`, without modulo bias. `bound` is 1 to 2^32. */
  below(bound: number): number {
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound)
    for (;;) {
      const draw = this.uint32()
      if (draw < limit) return draw % bound
    }
  }

  /** At least 0, less than 1, with 53 random bits. */
  float(): number {
    return (this.uint32() * 0x20_0000 + (this.uint32() >>> 11)) / 0x20_0000_0000_0000
  }
}
