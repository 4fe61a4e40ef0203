import { crc32c as nativeCrc32c } from '@node-rs/crc32'

/** CRC-32C (Castagnoli) of `bytes`, continuing from `seed` (the checksum of what came before). Unsigned 32 bits. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return nativeCrc32c(bytes as Buffer, seed)
}
