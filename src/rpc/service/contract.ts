/**
 * What two ends must agree on to speak of one method, as one line. Clients send theirs, and servers compare it with their
 * own (`Method.contract`), where both have one:
 *
 *     contract => kind ";" version ";" schemas        unary;2;93ab01c45d6e7f80
 *
 * `kind` and `version` must be equal. `schemas` is a fingerprint of the messages' schemas, or empty where they cannot be
 * described: that they differ is no failure, since a field may have come that does not matter; but when a message does not
 * fit it is the reason.
 */
import type { MethodKind } from './service.ts'

/** The header that carries it. */
export const contractName = 'synod-contract'

const versionForm = /^[A-Za-z0-9_.-]{0,64}$/

/** Throws a RangeError for a version that no header can carry. */
export function contractOf(kind: MethodKind, version: string, schemas: string): string {
  if (versionForm.test(version)) return `${kind};${version};${schemas}`
  throw new RangeError(`the version '${version}' cannot be sent: use at most 64 of A-Z, a-z, 0-9, _, . and -`)
}

/** Why a client's contract excludes the server's; undefined when it does not, or one of them says nothing. */
export function contractClash(method: string, told: string | undefined, own: string | undefined): string | undefined {
  if (told === undefined || own === undefined || told === own) return undefined
  const [toldKind, toldVersion = ''] = told.split(';')
  const [ownKind, ownVersion = ''] = own.split(';')
  if (toldKind !== ownKind) {
    return `${method} is ${ownKind} at this server and ${toldKind!.slice(0, 32)} at the client: ${deployBoth}`
  }
  if (toldVersion === ownVersion) return undefined
  const what = `the contract of ${method} has version '${ownVersion}' at this server and '${toldVersion.slice(0, 64)}'`
  return `${what} at the client: ${deployBoth}`
}

const deployBoth = 'deploy both from the same definition'

/** For a message that does not fit: that the schemas of the two ends are not the same. Undefined when they are. */
export function schemaClash(told: unknown, own: string | undefined): string | undefined {
  if (typeof told !== 'string' || own === undefined) return undefined
  const [toldSchemas, ownSchemas] = [told.split(';')[2] ?? '', own.split(';')[2] ?? '']
  if (toldSchemas === '' || ownSchemas === '' || toldSchemas === ownSchemas) return undefined
  const shown = `${toldSchemas.slice(0, 16)} and not ${ownSchemas}`
  return `the client's schemas are not this server's (fingerprint ${shown}): ${deployBoth}`
}
