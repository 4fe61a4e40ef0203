/**
 * Messages of a generated service as bytes and back. Its generated client writes calls and reads replies; its generated
 * processor reads calls and writes replies: no struct is written or read by code of ours.
 */
import type * as Thrift from 'thrift'
import type { Codec } from '../service/index.ts'
import { type GeneratedService, newClient, newProcessor } from './generated-service.ts'
import { MessageType } from './message-envelope.ts'
import { captureStruct, structProtocol, structReader, type ThriftProtocolName } from './protocols.ts'
import { structEnd } from './struct-walk.ts'

/** A reply, as the client reads it: a value, or an exception that the interface declares. */
export type ThriftAnswer = { readonly value: unknown } | { readonly exception: unknown }

/** A reply, as the server writes it. */
export interface ThriftReply {
  readonly struct: Uint8Array
}

/** A call, as the server reads it. */
export interface ThriftRequest {
  readonly args: readonly unknown[]
  /** The reply with a result. Throws when the result does not fit. */
  reply(result: unknown): ThriftReply
  /** The reply with an exception; undefined when the interface does not declare it. */
  replyException(exception: unknown): ThriftReply | undefined
}

/** For the client. */
export function argumentsCodec(
  generated: GeneratedService,
  name: string,
  protocol: ThriftProtocolName,
): Codec<readonly unknown[]> {
  return {
    encode: (args) => writeCall(generated, name, protocol, args).struct,
    decode: () => {
      throw new Error('clients do not read calls')
    },
  }
}

/** Whether the interface declares the method `oneway`: the generated client says so when it writes a call. */
export function isOneway(generated: GeneratedService, name: string): boolean {
  return writeCall(generated, name, 'binary', []).type === MessageType.oneway
}

function writeCall(generated: GeneratedService, name: string, protocol: ThriftProtocolName, args: readonly unknown[]) {
  return captureStruct((transport) => {
    const client = newClient(generated, transport, structProtocol(protocol))
    client[`send_${name}`]!(...args)
  })
}

const anySequence = 1

/** For the client. The bytes are a reply's struct, never an application exception. */
export function answerCodec(
  generated: GeneratedService,
  name: string,
  protocol: ThriftProtocolName,
): Codec<ThriftAnswer> {
  return {
    encode: () => {
      throw new Error('clients do not write replies')
    },
    decode: (bytes) => {
      checkWhole(bytes, protocol)
      const client = newClient(generated)
      let answer: ThriftAnswer = { value: undefined }
      client._reqs[anySequence] = (error, value) => {
        answer = error === null || error === undefined ? { value } : { exception: error }
      }
      client[`recv_${name}`]!(structReader(bytes, protocol), MessageType.reply, anySequence)
      // Generated code says so, in a string, of a reply that holds neither a result nor an exception.
      if ('exception' in answer && typeof answer.exception === 'string') throw new Error(answer.exception)
      return answer
    },
  }
}

export const onewayAnswerCodec: Codec<ThriftAnswer> = {
  encode: () => new Uint8Array(0),
  decode: () => ({ value: undefined }),
}

/** For the server. */
export function requestCodec(
  generated: GeneratedService,
  name: string,
  protocol: ThriftProtocolName,
): Codec<ThriftRequest> {
  return {
    encode: () => {
      throw new Error('servers do not write calls')
    },
    decode: (bytes) => {
      checkWhole(bytes, protocol)
      return new ReadRequest(generated, name, protocol, bytes)
    },
  }
}

export const replyCodec: Codec<ThriftReply> = {
  encode: ({ struct }) => struct,
  decode: () => {
    throw new Error('servers do not read replies')
  },
}

type GeneratedCallback = (error: unknown, result?: unknown) => void

class ReadRequest implements ThriftRequest {
  args: readonly unknown[] = []
  private callback: GeneratedCallback | undefined = undefined
  private readonly write: (run: () => void) => ReturnType<typeof captureStruct>

  constructor(generated: GeneratedService, name: string, protocol: ThriftProtocolName, bytes: Uint8Array) {
    const take = (...all: readonly unknown[]): void => {
      const last = all.at(-1)
      // A oneway method is given no callback.
      const hasCallback = typeof last === 'function'
      this.args = hasCallback ? all.slice(0, -1) : all
      this.callback = hasCallback ? (last as GeneratedCallback) : undefined
    }
    // Generated code looks at the number of parameters: as many as the method has means that it returns a promise.
    Object.defineProperty(take, 'length', { value: Number.MAX_SAFE_INTEGER })
    const processor = newProcessor(generated, { [name]: take })
    const transport = new LateTransport()
    const output = new (structProtocol(protocol))(transport.proxy)
    processor[`process_${name}`]!(0, structReader(bytes, protocol), output)
    this.write = (run) =>
      captureStruct((target) => {
        transport.target = target
        run()
      })
  }

  reply(result: unknown): ThriftReply {
    const { callback } = this
    return callback === undefined ? emptyReply : { struct: this.write(() => callback(null, result)).struct }
  }

  replyException(exception: unknown): ThriftReply | undefined {
    const { callback } = this
    if (callback === undefined || exception === null || exception === undefined) return undefined
    const { struct, type } = this.write(() => callback(exception))
    return type === MessageType.reply ? { struct } : undefined
  }
}

const emptyReply: ThriftReply = { struct: new Uint8Array(0) }

/** A transport whose place is taken by another when there is something to write. */
class LateTransport {
  target: Thrift.TTransport | undefined = undefined
  readonly proxy = new Proxy({} as Thrift.TTransport, {
    get: (_, key) => {
      const { target } = this
      if (target === undefined) return undefined
      const member = Reflect.get(target, key, target) as unknown
      return typeof member === 'function' ? (member as (...args: unknown[]) => unknown).bind(target) : member
    },
  })
}

function checkWhole(bytes: Uint8Array, protocol: ThriftProtocolName): void {
  const end = structEnd(bytes, 0, protocol)
  if (end !== bytes.length) throw new Error(end < 0 ? 'its struct is cut off' : 'bytes follow its struct')
}
