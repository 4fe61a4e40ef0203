/** The moments at which a schedule is due: `anchorMs + n * everyMs`, on the wall clock, in milliseconds since 1970 (UTC). */
export interface SlotGrid {
  readonly everyMs: number
  readonly anchorMs: number
}

/** The last slot at or before `wallMs`. */
export function slotAt({ everyMs, anchorMs }: SlotGrid, wallMs: number): number {
  return anchorMs + Math.floor((wallMs - anchorMs) / everyMs) * everyMs
}

/** The first slot after `wallMs`. */
export function slotAfter(grid: SlotGrid, wallMs: number): number {
  return slotAt(grid, wallMs) + grid.everyMs
}
