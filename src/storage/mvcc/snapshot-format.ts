/**
 * The image of a store, version 1. Integers are little-endian; `varint` as in `record-codec.ts`.
 *
 * ```
 * image        = magic "SYNODMVC", u32 version, headerFrame, recordsFrame*, endFrame
 * frame        = u32 length of payload, u32 checksum, u8 kind, payload
 * headerFrame  = kind 1: u64 revision, u64 compactedRevision
 * recordsFrame = kind 2: record*
 * record       = varint length of KeyValue, KeyValue, varint sub revision      (KeyValue: see record-codec.ts)
 * endFrame     = kind 3: u64 number of records, u64 number of live keys
 * ```
 *
 * Records are the kept ones, in revision order. A checksum is CRC-32C over kind and payload, continued from the
 * checksum of the frame before, so frames that are lost, doubled or out of order are found too.
 *
 * Worked example: a store at revision 2 with the put of "k" = "v":
 * `53 59 4e 4f 44 4d 56 43  01 00 00 00`, header `10 00 00 00 <crc> 01  02 00… 00 00…`,
 * records `0e 00 00 00 <crc> 02  0c 0a 01 6b 10 02 18 02 20 01 2a 01 76 00`, end `10 00 00 00 <crc> 03  01 00… 01
 * 00…`.
 */
export const imageMagic = Buffer.from('SYNODMVC', 'latin1')
export const imageVersion = 1
export const imagePreambleBytes = 12

export const frameHeaderBytes = 9
export const frameHeader = 1
export const frameRecords = 2
export const frameEnd = 3

/** Where the checksums of an image start. */
export const checksumSeed = 0
/** The payload of the header and end frames. */
export const countsPayloadBytes = 16
/** No frame is longer; a record is its own frame at worst. */
export const framePayloadBytesMax = 0x4000_0000
