/** The directory cannot be used by this member; the message says why and what to do. */
export class DataDirectoryError extends Error {
  override readonly name: string = 'DataDirectoryError'
}

/** This member was removed from its cluster. It never comes back under this identity. */
export class MemberRemovedError extends DataDirectoryError {
  override readonly name = 'MemberRemovedError'
}
