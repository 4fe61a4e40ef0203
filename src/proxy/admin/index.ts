export { type AdminServer, type AdminTarget, startAdmin } from './admin-server.ts'
export { statusMetrics } from './status-metrics.ts'
