/** What the operating system says of this process. */
import { readdirSync, readFileSync } from 'node:fs'
import type { ProcessMetrics } from '../node/index.ts'

export function processMetrics(): ProcessMetrics {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapUsedBytes: heapUsed,
    startTimeSeconds: Date.now() / 1000 - process.uptime(),
    ...linuxMetrics(),
  }
}

/** Linux tells more; elsewhere these are left out. */
function linuxMetrics(): Pick<ProcessMetrics, 'virtualBytes' | 'openFileDescriptors' | 'maxFileDescriptors'> {
  try {
    const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0])
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return {
      virtualBytes: pages * 4096,
      openFileDescriptors: readdirSync('/proc/self/fd').length,
      maxFileDescriptors: limit === undefined ? undefined : Number(limit),
    }
  } catch {
    return {}
  }
}
