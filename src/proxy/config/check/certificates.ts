/** Whether the files of certificates can be read, and belong together. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { ProxyConfig } from '../model.ts'
import type { Path } from '../problem.ts'
import type { YamlSource } from '../schema/index.ts'

/** Reads a file as text; throws when it cannot, with a message that says why. */
export type ReadTextFile = (path: string) => string

/** Reports what is wrong with each file; `nowMs` warns of certificates that are over. */
export function checkCertificates(config: ProxyConfig, read: ReadTextFile, nowMs: number, source: YamlSource): void {
  for (const listener of config.listeners) {
    if (listener.protocol !== 'http' || listener.tls === undefined) continue
    const at = [...source.placeOf(listener), 'tls']
    for (const { certFile, keyFile } of listener.tls.certificates) checkPair(certFile, keyFile, at, read, nowMs, source)
    if (listener.tls.clientCaFile !== undefined)
      certificateIn(listener.tls.clientCaFile, [...at, 'clientCa'], read, source)
  }
  for (const { tls, settings } of config.upstreams) {
    const at = ['upstreams', settings.name, 'tls']
    if (tls?.caFile !== undefined) certificateIn(tls.caFile, [...at, 'ca'], read, source)
    if (tls?.certFile !== undefined && tls.keyFile !== undefined)
      checkPair(tls.certFile, tls.keyFile, at, read, nowMs, source)
  }
}

function checkPair(
  certFile: string,
  keyFile: string,
  at: Path,
  read: ReadTextFile,
  nowMs: number,
  source: YamlSource,
): void {
  const certificate = certificateIn(certFile, [...at, 'cert'], read, source)
  const key = textOf(keyFile, [...at, 'key'], read, source)
  if (certificate === undefined || key === undefined) return
  try {
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      source.report([...at, 'key'], `${keyFile} is not the key of ${certFile}`)
  } catch (error) {
    source.report([...at, 'key'], `${keyFile} holds no private key that can be read: ${(error as Error).message}`)
  }
  if (nowMs > certificate.validToDate.getTime())
    source.warn([...at, 'cert'], `${certFile} is valid only until ${certificate.validTo}`)
}

function certificateIn(file: string, at: Path, read: ReadTextFile, source: YamlSource): X509Certificate | undefined {
  const text = textOf(file, at, read, source)
  if (text === undefined) return undefined
  try {
    return new X509Certificate(text)
  } catch (error) {
    source.report(at, `${file} holds no certificate in PEM: ${(error as Error).message}`)
    return undefined
  }
}

function textOf(file: string, at: Path, read: ReadTextFile, source: YamlSource): string | undefined {
  try {
    return read(file)
  } catch (error) {
    source.report(at, `cannot read ${file}: ${(error as Error).message}`)
    return undefined
  }
}
