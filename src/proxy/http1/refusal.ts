/** Why a message is not read further, and the status that says so to a client. Values, not errors: peers send these. */
export interface Refusal {
  readonly status: number
  /** For people: what was wrong with the message. */
  readonly reason: string
}

const bad = (reason: string): Refusal => ({ status: 400, reason })

/** Every refusal there is, each one object, so that refusing costs an attacker's victim nothing. */
export const refusals = {
  bareLineFeed: bad('a line ends with LF alone; it must end with CR LF'),
  bareCarriageReturn: bad('a CR is not followed by LF'),
  invalidRequestLine: bad('the request line is not: method, one space, target, one space, version'),
  invalidMethod: bad('the method is not a token'),
  invalidTarget: bad('the request target has a character that no URI may have, or a broken percent-encoding'),
  invalidTargetForm: bad('the request target is neither a path, nor a http or https URI, nor * of OPTIONS'),
  invalidStatusLine: bad('the status line is not: version, space, three digits, space, reason'),
  invalidFieldName: bad('the name of a header field is empty, not a token, or followed by a space'),
  invalidFieldValue: bad('the value of a header field has a control character'),
  foldedField: bad('a header field is folded over several lines'),
  missingHost: bad('HTTP/1.1 needs a Host field'),
  severalHosts: bad('there is more than one Host field'),
  invalidHost: bad('the host is not a name or address with an optional port'),
  severalLengths: bad('there is more than one Content-Length'),
  invalidLength: bad('Content-Length is not a plain decimal number in range'),
  lengthAndEncoding: bad('both Content-Length and Transfer-Encoding are given'),
  encodingInHttp10: bad('Transfer-Encoding is given in HTTP/1.0'),
  invalidEncoding: bad('Transfer-Encoding does not end with chunked, or has it more than once'),
  invalidConnection: bad('the Connection field is not a list of tokens'),
  severalUpgrades: bad('there is more than one Upgrade field'),
  invalidChunkSize: bad('the size of a chunk is not a plain hexadecimal number in range'),
  invalidChunkExtension: bad('a chunk extension has a control character'),
  invalidChunkEnd: bad('a chunk does not end with CR LF'),
  forbiddenTrailer: bad('a trailer field has a name that only a header may have'),
  incompleteRequest: bad('the connection ended within the head of a request'),
  notHttp: bad('this is not HTTP; it may be TLS sent to a port without'),
  // Its sender could not read an answer, and gets none.
  otherProtocol: bad('the first line is of another protocol than HTTP'),
  headTimeout: { status: 408, reason: 'the head of the request did not arrive in time' },
  bodyTimeout: { status: 408, reason: 'nothing more of the body of the request arrived in time' },
  targetTooLong: { status: 414, reason: 'the request line is longer than is allowed here' },
  invalidExpectation: { status: 417, reason: 'only the expectation 100-continue can be met' },
  headTooLarge: { status: 431, reason: 'the header fields together are larger than is allowed here' },
  tooManyFields: { status: 431, reason: 'there are more header fields than are allowed here' },
  extensionsTooLarge: bad('the chunk extensions are larger than is allowed here'),
  trailersTooLarge: { status: 431, reason: 'the trailer fields are larger than is allowed here' },
  unknownEncoding: { status: 501, reason: 'no transfer coding but chunked is known here' },
  connectMethod: { status: 501, reason: 'CONNECT is not offered here' },
  unknownVersion: { status: 505, reason: 'only HTTP/1.1 and HTTP/1.0 are spoken on this connection' },
} as const satisfies Readonly<Record<string, Refusal>>
