/** Whether text is an IP address. Textual forms as in RFC 4291 §2.2. */

export function isIpv4(value: string): boolean {
  const parts = value.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)
}

export function isIpv6(value: string): boolean {
  if (value.length > 45 || !/^[0-9A-Fa-f:.]+$/.test(value)) return false
  const halves = value.split('::')
  if (halves.length > 2) return false
  const left = groups(halves[0]!, halves.length === 1)
  const right = halves.length === 2 ? groups(halves[1]!, true) : 0
  if (left === undefined || right === undefined) return false
  return halves.length === 2 ? left + right <= 7 : left === 8
}

/** How many 16-bit groups it stands for; undefined when it is none. An IPv4 address may stand last. */
function groups(text: string, isLast: boolean): number | undefined {
  if (text === '') return 0
  const parts = text.split(':')
  let count = 0
  for (const [index, part] of parts.entries()) {
    if (isLast && index === parts.length - 1 && part.includes('.')) {
      if (!isIpv4(part)) return undefined
      count += 2
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(part)) count++
    else return undefined
  }
  return count
}
