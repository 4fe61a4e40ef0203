/**
 * Failures that the interface does not declare travel as `TApplicationException`: a type and a text. Ours begin with the
 * code, so that a Synod client has it again; the type is what others go by.
 */
import { type RpcCode, rpcCodes } from '../service/index.ts'
import { captureStruct, structProtocol, structReader, ThriftLibrary, type ThriftProtocolName } from './protocols.ts'

const { TApplicationExceptionType: Type, TApplicationException } = ThriftLibrary

const typeOfCode: Partial<Readonly<Record<RpcCode, number>>> = {
  UNIMPLEMENTED: Type.UNKNOWN_METHOD,
  INVALID_ARGUMENT: Type.PROTOCOL_ERROR,
  INTERNAL: Type.INTERNAL_ERROR,
}

const codeOfType: Partial<Readonly<Record<number, RpcCode>>> = {
  [Type.UNKNOWN_METHOD]: 'UNIMPLEMENTED',
  [Type.INVALID_MESSAGE_TYPE]: 'INTERNAL',
  [Type.WRONG_METHOD_NAME]: 'INTERNAL',
  [Type.BAD_SEQUENCE_ID]: 'INTERNAL',
  [Type.MISSING_RESULT]: 'INTERNAL',
  [Type.INTERNAL_ERROR]: 'INTERNAL',
  [Type.PROTOCOL_ERROR]: 'INVALID_ARGUMENT',
}

export function encodeException(code: RpcCode, message: string, protocol: ThriftProtocolName): Uint8Array {
  const exception = new TApplicationException(typeOfCode[code] ?? Type.UNKNOWN, `${code}: ${message}`)
  return captureStruct((transport) => {
    exception.write(new (structProtocol(protocol))(transport))
    transport.flush()
  }).struct
}

/** `struct` has passed `structEnd`. */
export function decodeException(
  struct: Uint8Array,
  protocol: ThriftProtocolName,
): { readonly code: RpcCode; readonly message: string } {
  const exception = new TApplicationException()
  exception.read(structReader(struct, protocol))
  const text = typeof exception.message === 'string' ? exception.message : ''
  const told = /^([A-Z_]+): /.exec(text)
  const code = rpcCodes.find((one) => one === told?.[1])
  if (code !== undefined) return { code, message: text.slice(told![0].length) }
  // The declared type of the package calls it `code`; its code calls it `type`.
  const { type } = exception as unknown as { readonly type: number }
  return { code: codeOfType[type] ?? 'UNKNOWN', message: text === '' ? 'the server gave no reason' : text }
}
