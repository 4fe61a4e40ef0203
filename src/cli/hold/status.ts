/** What the commands that hold something say, and how they end. Standard output belongs to the command that is run. */

/** Not got within --wait: EX_TEMPFAIL of sysexits. */
export const notGotStatus = 75
/** Got, and lost while the command ran. */
export const lostStatus = 76

/** A line on standard error: for people, or with --json for machines. */
export function tell(json: boolean, event: Readonly<Record<string, string | number>>): void {
  const { event: what, ...fields } = event
  const text = json
    ? JSON.stringify(event)
    : `synod: ${what} ${Object.entries(fields)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ')}`
  process.stderr.write(`${text}\n`)
}
