/**
 * The name in a certificate as one line (RFC 4514 §2, RFC 2253 before it): `CN=alice,O=Shop,C=DE`, the last part first.
 *
 * Node writes a name with a line for each part, first to last, its special characters escaped already (OpenSSL's
 * XN_FLAG_SEP_MULTILINE with ASN1_STRFLGS_ESC_2253), and a part of several values with ` + ` in between.
 */

/** What is not ASCII becomes `\XX` for each byte of its UTF-8, so that the text is fit for a header field. */
export function distinguishedName(lines: string): string {
  if (lines === '') return ''
  // A `+` in a value has a backslash before it, so these are between values.
  const parts = lines.split('\n').map((line) => line.split(' + ').reverse().join('+'))
  const name = parts.reverse().join(',')
  return name.replaceAll(/[^\x20-\x7e]/gu, escaped)
}

function escaped(character: string): string {
  return [...Buffer.from(character, 'utf8')]
    .map((byte) => `\\${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}
