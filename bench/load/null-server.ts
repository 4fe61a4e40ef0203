// A server that answers every request with the same prepared frames and does nothing else: what the generator reaches
// against it is the generator's own limit. Prints its address.
import { createServer } from 'node:net'
import { frame, frameHeaderBytes, valueBytes } from './request-frames.ts'

const preface = 24

// ":status 200"; and "grpc-status: 0" without indexing.
const headers = frame(1, 0x4, Buffer.from([0x88]))
const message = frame(0, 0, Buffer.concat([Buffer.from([0, 0, 0, 1, 8]), Buffer.alloc(valueBytes + 8)]))
const status = Buffer.from('grpc-status')
const trailers = frame(1, 0x5, Buffer.from([0, status.length, ...status, 1, 48]))
const answer = Buffer.concat([headers, message, trailers])
const streamOffsets = [5, headers.length + 5, headers.length + message.length + 5]

const server = createServer((socket) => {
  let skip = preface
  let rest = Buffer.alloc(0)
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.write(Buffer.concat([frame(4, 0, Buffer.alloc(0)), windowUpdate(0x7fffffff - 65_535)]))
  let received = 0
  socket.on('data', (chunk) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = Math.min(skip, bytes.length)
    skip -= at
    const out: Buffer[] = []
    while (bytes.length - at >= frameHeaderBytes) {
      const length = bytes.readUIntBE(at, 3)
      const end = at + frameHeaderBytes + length
      if (end > bytes.length) break
      if (bytes[at + 3] === 0) {
        received += length
        const copy = Buffer.from(answer)
        for (const offset of streamOffsets) bytes.copy(copy, offset, at + 5, at + 9)
        out.push(copy)
      }
      at = end
    }
    rest = bytes.subarray(at)
    if (received > 1 << 28) {
      out.push(windowUpdate(received))
      received = 0
    }
    if (out.length > 0) socket.write(Buffer.concat(out))
  })
})

function windowUpdate(bytes: number): Buffer {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(bytes, 0)
  return frame(8, 0, payload)
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) console.log(`127.0.0.1:${address.port}`)
})
process.on('disconnect', () => process.exit(0))
