export { CertificateError, type LoadedCertificate, loadCertificate } from './certificate.ts'
export { CertificateNames } from './certificate-names.ts'
export { readAuthorities, readCertificate, readTlsFiles, type TlsFiles, tlsServerSettings } from './termination.ts'
export { TicketKeys, ticketKeyBytes } from './ticket-keys.ts'
