import { type CheckedHealth, HealthThreshold, PhiAccrualDetector } from '../../core/health/index.ts'
import type { ActiveCheckSettings } from './settings.ts'
import type { EndpointHealth } from './upstream.ts'

/**
 * What active checks say of one endpoint: those of this process, result by result, or those of another, by import.
 * Passing checks are the heartbeats of its phi-accrual detector.
 */
export class EndpointCheck {
  health: CheckedHealth = 'unknown'
  /** For people: why the last check failed. Empty when healthy. */
  reason = ''
  private readonly threshold: HealthThreshold
  private readonly detector: PhiAccrualDetector
  private importedPhi: number | undefined
  private isImported = false

  constructor(settings: ActiveCheckSettings) {
    this.threshold = new HealthThreshold(settings)
    const firstIntervalMs = Math.max(1, settings.intervalMs)
    // Checks are sent with a jitter of a tenth: a deviation below that would be a suspicion of ourselves.
    this.detector = new PhiAccrualDetector({ firstIntervalMs, stdDeviationMsMin: firstIntervalMs / 10 })
  }

  /** What is known stays, until results by the new settings speak against it. */
  reconfigure(settings: ActiveCheckSettings): void {
    this.threshold.reconfigure(settings)
  }

  /** A check ended. True when the health or the reason changed. */
  record(failure: string | undefined, nowMs: number): boolean {
    this.isImported = false
    if (failure === undefined) this.detector.heartbeat(nowMs)
    const changed = this.threshold.record(failure === undefined)
    this.health = this.threshold.health
    const reason = this.health === 'healthy' ? '' : (failure ?? this.reason)
    if (!changed && reason === this.reason) return false
    this.reason = reason
    return true
  }

  /** True when the health or the reason changed. */
  import({ health, reason, phi }: EndpointHealth): boolean {
    const changed = health !== this.health || reason !== this.reason
    this.isImported = true
    this.importedPhi = phi
    this.health = health
    this.reason = reason
    return changed
  }

  phi(nowMs: number): number | undefined {
    return this.isImported ? this.importedPhi : this.detector.phi(nowMs)
  }
}
