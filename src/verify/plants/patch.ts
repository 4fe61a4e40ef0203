import type { Plant, PlantEdit } from './plant.ts'

/** A patch does not fit its source: the code has changed, and the plant must follow. */
export class PlantError extends Error {
  override readonly name = 'PlantError'
}

/** The edits of a plant by file. */
export function editsByFile(plant: Plant): ReadonlyMap<string, readonly PlantEdit[]> {
  const files = new Map<string, PlantEdit[]>()
  for (const edit of plant.edits) {
    const edits = files.get(edit.file)
    if (edits === undefined) files.set(edit.file, [edit])
    else edits.push(edit)
  }
  return files
}

/** Throws a PlantError when an edit's text is not there exactly once. */
export function patchSource(plant: Plant, source: string, edits: readonly PlantEdit[]): string {
  let patched = source
  for (const { file, find, replace } of edits) {
    const count = patched.split(find).length - 1
    if (count !== 1)
      throw new PlantError(
        `the planted bug "${plant.name}" no longer applies: its text occurs ${count} times in src/${file}, not once. Adapt it to the code: ${JSON.stringify(find)}`,
      )
    patched = patched.replace(find, () => replace)
  }
  return patched
}
