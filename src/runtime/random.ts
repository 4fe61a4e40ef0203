/** A source of randomness. In the simulator every draw comes from the seed. */
export interface Random {
  /** A uniform integer from 0 to 2^32 - 1. */
  uint32(): number
  /** A uniform integer from 0 to `bound - 1`. `bound` is 1 to 2^32. */
  below(bound: number): number
  /** A uniform number at least 0 and less than 1. */
  float(): number
  /** `length` fresh random bytes. */
  bytes(length: number): Uint8Array
  /** An independent stream named by `label`: draws from one never shift the draws of another. */
  fork(label: string): Random
}
