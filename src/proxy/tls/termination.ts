/** From a listener's TLS configuration to what the runtime's ports take. */
import { X509Certificate } from 'node:crypto'
import { type Disk, DiskError, type TlsServerSettings } from '../../runtime/index.ts'
import type { TlsTerminationConfig } from '../config/index.ts'
import { CertificateError, type LoadedCertificate, loadCertificate } from './certificate.ts'
import { CertificateNames } from './certificate-names.ts'

/** A larger file is no certificate. */
const fileBytesMax = 1 << 20
/** A client that has not finished its handshake by then is closed. */
const handshakeTimeoutMs = 10_000

/** The files of one listener, read and checked at one moment. */
export interface TlsFiles {
  readonly certificates: readonly LoadedCertificate[]
  readonly clientCa: string | undefined
  /** Equal exactly when all files are. */
  readonly fingerprint: string
}

/** Reads the files that `config` names. Rejects with a {@link CertificateError} when one cannot be read or used. */
export async function readTlsFiles(config: TlsTerminationConfig, disk: Disk): Promise<TlsFiles> {
  const certificates: LoadedCertificate[] = []
  for (const { certFile, keyFile } of config.certificates) {
    certificates.push(await readCertificate(certFile, keyFile, disk))
  }
  const clientCa = config.clientCaFile === undefined ? undefined : await readAuthorities(config.clientCaFile, disk)
  const parts = [...certificates.flatMap(({ cert, key }) => [cert, key]), clientCa ?? '']
  return { certificates, clientCa, fingerprint: parts.join('\0') }
}

/** A client that insists on HTTP/1.0 offers nothing else. */
const http1Protocols = ['http/1.1', 'http/1.0']

/** What a port needs to terminate TLS as `config` says. */
export function tlsServerSettings(
  config: TlsTerminationConfig,
  files: TlsFiles,
  options: { readonly http2: boolean; readonly ticketKeys: Uint8Array },
): TlsServerSettings {
  const names = new CertificateNames(files.certificates.map((certificate) => certificate.names))
  return {
    certificates: files.certificates,
    choose: (serverName) => names.choose(serverName),
    minVersion: config.minVersion,
    clientCa: files.clientCa,
    clientCertificate: config.clientCertificate,
    alpnProtocols: options.http2 ? ['h2', ...http1Protocols] : http1Protocols,
    ticketKeys: options.ticketKeys,
    handshakeTimeoutMs,
  }
}

/** A certificate and its key, checked. Rejects with a {@link CertificateError}. */
export async function readCertificate(certFile: string, keyFile: string, disk: Disk): Promise<LoadedCertificate> {
  const [cert, key] = [await readText(certFile, disk), await readText(keyFile, disk)]
  return loadCertificate(certFile, cert, keyFile, key)
}

/** The PEM text of authorities, checked. Rejects with a {@link CertificateError}. */
export async function readAuthorities(file: string, disk: Disk): Promise<string> {
  const text = await readText(file, disk)
  checkAuthorities(file, text)
  return text
}

async function readText(path: string, disk: Disk): Promise<string> {
  try {
    const file = await disk.open(path, 'read')
    try {
      const sizeBytes = await file.sizeBytes()
      if (sizeBytes > fileBytesMax)
        throw new CertificateError(`${path} is ${sizeBytes} bytes: no certificate or key is.`)
      return Buffer.from(await file.read(0, sizeBytes)).toString('utf8')
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (!(cause instanceof DiskError)) throw cause
    const message = `cannot read ${path} (${cause.code}). Check the path, and that this user may read it.`
    throw new CertificateError(message, { cause })
  }
}

function checkAuthorities(file: string, text: string): void {
  try {
    new X509Certificate(text)
  } catch (cause) {
    const message = `${file} holds no PEM certificate of an authority (${(cause as Error).message}).`
    throw new CertificateError(message, { cause })
  }
}
