/**
 * Dates as the protocols write them, from milliseconds since the Unix epoch, always UTC. Days become dates by Howard
 * Hinnant's `civil_from_days` (chrono-compatible low-level date algorithms).
 */

const dayNames = ['Thu', 'Fri', 'Sat', 'Sun', 'Mon', 'Tue', 'Wed']
const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

interface Civil {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly weekday: string
  /** `hh:mm:ss`. */
  readonly time: string
}

function civilOf(wallMs: number): Civil {
  const seconds = Math.floor(wallMs / 1_000)
  const days = Math.floor(seconds / 86_400)
  const ofDay = seconds - days * 86_400
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
    weekday: dayNames[((days % 7) + 7) % 7]!,
    time: `${two(Math.floor(ofDay / 3_600))}:${two(Math.floor(ofDay / 60) % 60)}:${two(ofDay % 60)}`,
  }
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}

function four(value: number): string {
  return String(value).padStart(4, '0')
}

/** `Sun, 06 Nov 1994 08:49:37 GMT`: an IMF-fixdate (RFC 9110 §5.6.7). */
export function imfFixdate(wallMs: number): string {
  const { weekday, day, month, year, time } = civilOf(wallMs)
  return `${weekday}, ${two(day)} ${monthNames[month - 1]} ${four(year)} ${time} GMT`
}

/** `06/Nov/1994:08:49:37 +0000`: the time of the common log format. */
export function commonLogTime(wallMs: number): string {
  const { day, month, year, time } = civilOf(wallMs)
  return `${two(day)}/${monthNames[month - 1]}/${four(year)}:${time} +0000`
}

/** `1994-11-06T08:49:37`, without fraction and zone (RFC 3339 §5.6). */
export function isoSeconds(wallMs: number): string {
  const { day, month, year, time } = civilOf(wallMs)
  return `${four(year)}-${two(month)}-${two(day)}T${time}`
}

/** Keeps the text of the second that was asked for last. */
export class TextOfSecond {
  private readonly format: (wallMs: number) => string
  private second = Number.NaN
  private text = ''

  constructor(format: (wallMs: number) => string) {
    this.format = format
  }

  at(wallMs: number): string {
    const second = Math.floor(wallMs / 1_000)
    if (second !== this.second) {
      this.second = second
      this.text = this.format(second * 1_000)
    }
    return this.text
  }
}
