/**
 * Requests and replies as a whole.
 *
 *     request  int xid   int type   the request record of the type
 *     reply    int xid   long zxid  int err   the response record, when err is 0
 *
 * A reply does not say what it answers: replies come in the order of the requests, and whoever reads them knows.
 */
import {
  buffer,
  type Carried,
  type Codec,
  int,
  JuteError,
  JuteReader,
  type JuteWriter,
  long,
  nothing,
  record,
  ustring,
} from './jute.ts'
import { multiRequest, multiResponse } from './multi.ts'
import * as nodes from './nodes.ts'
import { opCodes } from './protocol.ts'
import * as watches from './watches.ts'

export const requestHeader = record({ xid: int, type: int })

/** `zxid` is the last write that the answering server had applied; for a write, that write. */
export const replyHeader = record({ xid: int, zxid: long, err: int })
export type ReplyHeader = Carried<typeof replyHeader>

/** For the scheme `digest`, `auth` is `user:password`. `type` is 0. */
export const authRequest = record({ type: int, scheme: ustring, auth: buffer })

function operation<Request, Response>(request: Codec<Request>, response: Codec<Response>) {
  return { request, response }
}

/** Both records of each operation. */
export const operations = {
  create: operation(nodes.createRequest, nodes.createResponse),
  create2: operation(nodes.createRequest, nodes.create2Response),
  createContainer: operation(nodes.createRequest, nodes.create2Response),
  createTtl: operation(nodes.createTtlRequest, nodes.create2Response),
  delete: operation(nodes.deleteRequest, nodes.deleteResponse),
  exists: operation(nodes.existsRequest, nodes.existsResponse),
  getData: operation(nodes.getDataRequest, nodes.getDataResponse),
  setData: operation(nodes.setDataRequest, nodes.setDataResponse),
  getAcl: operation(nodes.getAclRequest, nodes.getAclResponse),
  setAcl: operation(nodes.setAclRequest, nodes.setAclResponse),
  getChildren: operation(nodes.getChildrenRequest, nodes.getChildrenResponse),
  getChildren2: operation(nodes.getChildrenRequest, nodes.getChildren2Response),
  sync: operation(nodes.syncRequest, nodes.syncResponse),
  ping: operation(nothing, nothing),
  multi: operation(multiRequest, multiResponse),
  multiRead: operation(multiRequest, multiResponse),
  addWatch: operation(watches.addWatchRequest, watches.addWatchResponse),
  removeWatches: operation(watches.removeWatchesRequest, watches.removeWatchesResponse),
  setWatches: operation(watches.setWatchesRequest, watches.setWatchesResponse),
  setWatches2: operation(watches.setWatches2Request, watches.setWatchesResponse),
  auth: operation(authRequest, nothing),
  closeSession: operation(nothing, nothing),
} as const

export type OperationName = keyof typeof operations
export type RequestOf<Op extends OperationName> = Carried<(typeof operations)[Op]['request']>
export type ResponseOf<Op extends OperationName> = Carried<(typeof operations)[Op]['response']>

/** A request as a server reads it. */
export interface ReceivedRequest<Op extends OperationName = OperationName> {
  readonly xid: number
  readonly op: Op
  readonly body: RequestOf<Op>
}

const namesOfTypes = new Map<number, OperationName>(
  (Object.keys(operations) as OperationName[]).map((name) => [opCodes[name], name]),
)

export function writeRequest<Op extends OperationName>(
  writer: JuteWriter,
  xid: number,
  op: Op,
  body: RequestOf<Op>,
): void {
  requestHeader.write(writer, { xid, type: opCodes[op] })
  const codec = operations[op].request as Codec<RequestOf<Op>>
  codec.write(writer, body)
}

/** Throws {@link JuteError} on bytes that are no request of a known type. */
export function readRequest(bytes: Buffer): ReceivedRequest {
  const reader = new JuteReader(bytes)
  const { xid, type } = requestHeader.read(reader)
  const op = namesOfTypes.get(type)
  if (op === undefined) throw new JuteError(`no operation has the type ${type}`)
  const body = operations[op].request.read(reader) as RequestOf<typeof op>
  reader.finish()
  return { xid, op, body }
}

export function writeReply<Op extends OperationName>(
  writer: JuteWriter,
  header: ReplyHeader,
  op: Op,
  body: ResponseOf<Op> | undefined,
): void {
  replyHeader.write(writer, header)
  if (body === undefined) return
  const codec = operations[op].response as Codec<ResponseOf<Op>>
  codec.write(writer, body)
}

/** The record after a reply's header. Throws {@link JuteError} when it is not that of `op`. */
export function readReplyBody<Op extends OperationName>(reader: JuteReader, op: Op): ResponseOf<Op> {
  const codec = operations[op].response as Codec<ResponseOf<Op>>
  const body = codec.read(reader)
  reader.finish()
  return body
}
