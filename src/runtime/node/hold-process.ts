/** The longest that a timer can run: it only has to be there. */
const intervalMs = 0x7fff_ffff

/**
 * Keeps the process alive until the returned function is called: for work in the process that opens no socket, as the
 * runtime's own timers keep nothing alive.
 */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, intervalMs)
  return () => clearInterval(timer)
}
