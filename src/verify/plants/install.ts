/** Puts a planted bug into the modules that this process is going to load. */
import { registerHooks } from 'node:module'
import { editsByFile, PlantError, patchSource } from './patch.ts'
import type { Plant } from './plant.ts'

/** The folder `src/` (or, in the package, `dist/`). */
const sourcesRoot = new URL('../../', import.meta.url)

/** Whether this copy of Synod holds the sources that plants patch; the published package holds compiled ones. */
export const canPlant = import.meta.url.endsWith('.ts')

/**
 * From now on the modules that `plant` names load with its mistake in them. Call it before they are loaded; one plant a
 * process. `verifyLoaded` on the result throws unless every file of the plant was loaded, patched: otherwise a run proves
 * nothing.
 */
export function installPlant(plant: Plant): { verifyLoaded(): void } {
  if (!canPlant)
    throw new PlantError(
      'planted bugs are patches of the TypeScript sources: run them from a clone, not from the package',
    )
  const edits = new Map(
    [...editsByFile(plant)].map(([file, fileEdits]) => [new URL(file, sourcesRoot).href, fileEdits] as const),
  )
  const due = new Set(edits.keys())
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context)
      const fileEdits = edits.get(url)
      if (fileEdits === undefined) return loaded
      due.delete(url)
      return { ...loaded, source: patchSource(plant, textOf(loaded.source), fileEdits) }
    },
  })
  return {
    verifyLoaded: () => {
      const [missing] = due
      if (missing !== undefined)
        throw new PlantError(`the planted bug "${plant.name}" never took effect: ${missing} was not loaded after it`)
    },
  }
}

function textOf(source: string | ArrayBuffer | NodeJS.TypedArray | undefined | null): string {
  if (typeof source === 'string') return source
  if (source === undefined || source === null) throw new PlantError('a module came without its source')
  return source instanceof ArrayBuffer
    ? Buffer.from(source).toString('utf8')
    : Buffer.from(source.buffer, source.byteOffset, source.byteLength).toString('utf8')
}
