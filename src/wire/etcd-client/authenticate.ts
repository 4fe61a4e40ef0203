/**
 *     AuthenticateRequest  = name:string=1 password:string=2
 *     AuthenticateResponse = header=1 token:string=2
 */
import { bytesTag, ProtobufReader, ProtobufWriter } from '../../base/index.ts'
import { type AnswerHead, headerTag, readHeader } from './response-header.ts'

const tokenTag = bytesTag(2)

export function encodeAuthenticateRequest(username: string, password: string): Uint8Array {
  return new ProtobufWriter().text(1, username).text(2, password).finish()
}

export interface AuthenticateAnswer extends AnswerHead {
  readonly token: string
}

/** Undefined: the bytes are no such message. */
export function decodeAuthenticateResponse(bytes: Uint8Array): AuthenticateAnswer | undefined {
  const reader = new ProtobufReader(bytes)
  const answer = { revision: 0, term: 0, token: '' }
  while (reader.next()) {
    if (reader.tag === headerTag) readHeader(reader, answer)
    else if (reader.tag === tokenTag) {
      reader.bytes()
      answer.token = reader.text()
    } else reader.skip()
  }
  return reader.malformed || answer.token === '' ? undefined : answer
}
