/** A certificate with its key, checked as far as it can be without a client. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'

/** A certificate, key or authority file that cannot be used; the message names the file and says what to do. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
}

export interface LoadedCertificate {
  /** PEM: the certificate first, then those that lead to its authority. */
  readonly cert: string
  readonly key: string
  /** DNS names it is for, in lower case; `*.suffix` stands for one label. */
  readonly names: readonly string[]
  readonly notAfter: string
}

/** Checks that `cert` and `key`, the text of the files named, can be used, and that they belong together. */
export function loadCertificate(certFile: string, cert: string, keyFile: string, key: string): LoadedCertificate {
  const certificate = parseCertificate(certFile, cert)
  const privateKey = parseKey(keyFile, key)
  if (!certificate.checkPrivateKey(privateKey))
    throw new CertificateError(
      `${keyFile} is not the key of the certificate in ${certFile}. Give the pair made together.`,
    )
  return { cert, key, names: namesOf(certificate), notAfter: certificate.validTo }
}

function parseCertificate(file: string, text: string): X509Certificate {
  try {
    return new X509Certificate(text)
  } catch (cause) {
    const message = `${file} holds no PEM certificate (${(cause as Error).message}). The server's own must be the first in it.`
    throw new CertificateError(message, { cause })
  }
}

function parseKey(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch (cause) {
    const message = `${file} holds no usable PEM private key (${(cause as Error).message}). Keys with a passphrase are not taken.`
    throw new CertificateError(message, { cause })
  }
}

/** Its subject alternative names; the common name only where there are none (RFC 6125 §6.4.4). */
function namesOf(certificate: X509Certificate): string[] {
  const alternatives = certificate.subjectAltName ?? ''
  const names = [...alternatives.matchAll(/(?:^|, )DNS:([^,"]+)/g)].map((match) => match[1]!.toLowerCase())
  if (alternatives !== '') return names
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1]
  return common === undefined ? [] : [common.toLowerCase()]
}
